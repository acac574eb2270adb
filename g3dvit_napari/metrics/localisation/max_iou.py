"""IoU at the best cut of all: what the map could show if the truth chose the threshold."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.chance import draws_for, measured
from g3dvit_napari.metrics.localisation.ranking import Ranking, ranked, ranking_of


@METRICS.register("Best IoU", needs={"truth"}, reference="Choe et al. 2020")
def max_iou(evaluation: Evaluation, *, level: Level = "voxel", sign: Sign = "positive") -> Score:
    """Return the largest intersection over union among all cuts of the map.

    Higher is better. Chance: measured on maps of noise; more than the target's share, which a cut
    that keeps everything has already.

    What fools it. The cut is chosen with the truth in hand, which nobody has: it bounds what a map
    can show and says nothing of a rule for cutting it.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; the target is every patch that it touches.
    sign
        Which relevance: what speaks for the class, sizes, or signed values.
    """
    found = ranking_of(evaluation, level, sign)
    chance = measured(
        evaluation.scene,
        ("max_iou", level),
        lambda each: _best(ranked(each.compared(level))),
        draws_for(found.count),
    )
    return Score(_best(found), chance)


def _best(ranking: Ranking) -> float:
    return float((ranking.hits / (ranking.taken + ranking.target - ranking.hits)).max())
