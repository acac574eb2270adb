"""The mean of sensitivity and specificity of a map cut in two."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.evaluation import Evaluation, Floats, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.confusion import Confusion, Cut, CutAt, score_at


@METRICS.register("Balanced accuracy", needs={"truth"}, reference="Brodersen et al. 2010")
def balanced_accuracy(
    evaluation: Evaluation,
    *,
    level: Level = "voxel",
    sign: Sign = "positive",
    cut: Cut = "otsu",
    top: Annotated[float, {"min": 0.01, "max": 100.0, "step": 0.5}] = 5.0,
) -> Score:
    """Return the mean of the shares of the target shown and of the rest hidden.

    Higher is better. Chance: 0.5.

    What fools it. A large foreground around a small target costs little: a tenth of the volume in
    front for nothing still gets 0.95.

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
    return score_at(evaluation, _balanced_accuracy, CutAt(level, sign, cut, top))


def _balanced_accuracy(c: Confusion) -> Floats:
    shown = c.true_positives / c.target
    hidden = c.true_negatives / (c.count - c.target)
    return (shown + hidden) / 2
