"""The share of what a map shows that lies in the target."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.evaluation import Evaluation, Floats, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.confusion import Confusion, Cut, CutAt, score_at


@METRICS.register("Precision", needs={"truth"}, reference="van Rijsbergen 1979")
def precision(
    evaluation: Evaluation,
    *,
    level: Level = "voxel",
    sign: Sign = "positive",
    cut: Cut = "otsu",
    top: Annotated[float, {"min": 0.01, "max": 100.0, "step": 0.5}] = 5.0,
) -> Score:
    """Return the share of what lies above a cut of the map that is in the target.

    Higher is better. Chance: the target's share of the places that count.

    What fools it. A single place in the target gets one: read it with recall.

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
    return score_at(evaluation, _precision, CutAt(level, sign, cut, top))


def _precision(c: Confusion) -> Floats:
    return c.true_positives / c.chosen
