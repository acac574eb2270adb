"""Area under the ROC curve: how often a place in the target beats one outside."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.ranking import ranking_of


@METRICS.register("AUROC", needs={"truth"}, reference="Hanley & McNeil 1982")
def auroc(evaluation: Evaluation, *, level: Level = "voxel", sign: Sign = "positive") -> Score:
    """Return how often a place in the target has a larger value than one outside; ties count half.

    Higher is better. Chance: 0.5.

    What fools it. Targets are small, so it is ruled by the easy places far away: a broad bell over
    the target gets 0.95 while most of its relevance lies outside. Read average precision with it.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; the target is every patch that it touches.
    sign
        Which relevance: what speaks for the class, sizes, or signed values.
    """
    found = ranking_of(evaluation, level, sign)
    outside = found.count - found.target
    if outside == 0:
        return undefined("the target touches every patch that counts", 0.5)
    places, inside = found.groups
    others = places - inside
    beaten = outside - (found.taken - found.hits)
    wins = float((inside * (beaten + others / 2)).sum())
    return Score(wins / (found.target * outside), 0.5)
