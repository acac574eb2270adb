"""The share of the target that a map shows."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.evaluation import Evaluation, Floats, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.confusion import Confusion, Cut, CutAt, score_at


@METRICS.register("Recall", needs={"truth"}, reference="van Rijsbergen 1979")
def recall(
    evaluation: Evaluation,
    *,
    level: Level = "voxel",
    sign: Sign = "positive",
    cut: Cut = "otsu",
    top: Annotated[float, {"min": 0.01, "max": 100.0, "step": 0.5}] = 5.0,
) -> Score:
    """Return the share of the target that lies above a cut of the map.

    Higher is better. Chance: a foreground laid out at random, as large as the map's for the cut
    "top", as that of noise for the others.

    What fools it. Showing everything gets one: read it with precision.

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
    return score_at(evaluation, _recall, CutAt(level, sign, cut, top))


def _recall(c: Confusion) -> Floats:
    return c.true_positives / c.target
