"""Intersection over union (Jaccard 1912) of a map cut in two and the target."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.evaluation import Evaluation, Floats, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.confusion import Confusion, Cut, CutAt, score_at


@METRICS.register("IoU", needs={"truth"}, reference="Jaccard 1912; Otsu 1979")
def iou(
    evaluation: Evaluation,
    *,
    level: Level = "voxel",
    sign: Sign = "positive",
    cut: Cut = "otsu",
    top: Annotated[float, {"min": 0.01, "max": 100.0, "step": 0.5}] = 5.0,
) -> Score:
    """Return intersection over union of the target and what lies above a cut of the map.

    Higher is better. Chance: a foreground laid out at random, as large as the map's for the cut
    "top", as that of noise for the others.

    What fools it. Otsu's rule does not cut a good map well when targets are small: the oracle
    itself stays far below one, and a map may beat it. Compare with the oracle and the best IoU.

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
    return score_at(evaluation, _iou, CutAt(level, sign, cut, top))


def _iou(c: Confusion) -> Floats:
    return c.true_positives / (c.chosen + c.target - c.true_positives)
