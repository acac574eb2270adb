"""The correlation of a map cut in two with the target (Matthews 1975, Chicco & Jurman 2020)."""

from __future__ import annotations

from math import sqrt
from typing import Annotated

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Floats, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.confusion import Confusion, Cut, CutAt, score_at


@METRICS.register("Matthews correlation", needs={"truth"}, reference="Matthews 1975")
def matthews(
    evaluation: Evaluation,
    *,
    level: Level = "voxel",
    sign: Sign = "positive",
    cut: Cut = "otsu",
    top: Annotated[float, {"min": 0.01, "max": 100.0, "step": 0.5}] = 5.0,
) -> Score:
    """Return the correlation between being above a cut of the map and being in the target.

    Higher is better. Chance: 0.

    What fools it. Little: unlike pixel accuracy it is not lifted by small targets. Like all of its
    kin it depends on the cut.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; the target is every patch that it touches.
    sign
        Which relevance: what speaks for the class, sizes, or signed values.
    cut
        Above Otsu's threshold, the mean, half of the range, or the strongest places.
    top
        For the cut "top": how many of the places that count, in per cent.
    """
    return score_at(evaluation, _matthews, CutAt(level, sign, cut, top))


def _matthews(c: Confusion) -> Floats:
    spread = c.chosen * (c.count - c.chosen) * c.target * (c.count - c.target)
    gain = c.true_positives * c.count - c.chosen * c.target
    return gain / sqrt(spread) if spread else np.zeros_like(gain)
