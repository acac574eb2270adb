"""Efficient model parameter randomisation test (Hedström et al., 2024)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.evaluation import Evaluation, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.asking import made_by
from g3dvit_napari.metrics.sanity.redrawn import redrawn

Floats = NDArray[np.float64]
FEWEST_BINS, MOST_BINS = 10, 200


@METRICS.register(
    "Efficient randomisation",
    needs={"explainer"},
    direction="higher",
    cost="many passes",
    reference="Hedström et al., A Fresh Look at Sanity Checks for Saliency Maps, 2024, "
    "arXiv:2405.02383",
)
def efficient_randomisation(
    evaluation: Evaluation,
    *,
    bins: Annotated[int, {"min": 0, "max": 10000}] = 0,
    sign: Sign = "signed",
    draws: Annotated[int, {"min": 1, "max": 100}] = 1,
) -> Score:
    """Return by how much a map gets more disordered when the network forgets all it has learned.

    (H(a') - H(a)) / H(a), H the entropy of the histogram of a map on its own cells, a' the map of a
    network with all weights drawn anew. Each histogram spans its own map, so scales do not matter;
    the number of bins is fixed on the original. Higher is better. Chance: 0, what a map gets that
    does not ask the weights. Not defined for a constant map. The network is copied and explained
    once per draw.

    What fools it. The histogram knows no places: a map that only moves gets 0, and a map that is
    disordered from the start, such as a noisy gradient, can rise no further. Map cells that stay
    zero whatever the weights hold it down. It need not agree with `model_randomisation`.

    Parameters
    ----------
    bins
        How many; 0: by Freedman and Diaconis' rule from the original map, 10 to 200.
    sign
        Of signed maps, whether values are counted, sizes, or what speaks for the class.
    draws
        How many networks are drawn; the mean is taken.
    """
    original = _values(evaluation, sign)
    count = bins or bins_for(original)
    before = entropy(original, count)
    if before == 0:
        return undefined("the map is constant: its histogram has no entropy", 0.0)
    stages, seed = tuple(made_by(evaluation).stages), evaluation.scene.seed
    others = [_values(redrawn(evaluation, stages, seed + n), sign) for n in range(draws)]
    if not all(np.isfinite(other).all() for other in others):
        return undefined("a map after randomisation is not finite", 0.0)
    after = float(np.mean([entropy(other, count) for other in others]))
    return Score((after - before) / before, 0.0)


def _values(evaluation: Evaluation, sign: Sign) -> Floats:
    return evaluation.with_sign(sign).as_meant.ravel()


def entropy(values: Floats, bins: int) -> float:
    """Return the entropy (nats) of a histogram from the smallest to the largest value."""
    counts, _ = np.histogram(values, bins)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def bins_for(values: Floats) -> int:
    """Return how many bins of the width 2 IQR / n^(1/3) span the values, 10 to 200.

    As many as possible where half of all values are the same.
    """
    low, high = np.percentile(values, [25, 75])
    width = 2 * (high - low) / len(values) ** (1 / 3)
    most = np.ptp(values) / width if width > 0 else MOST_BINS
    return int(np.clip(np.ceil(most), FEWEST_BINS, MOST_BINS))
