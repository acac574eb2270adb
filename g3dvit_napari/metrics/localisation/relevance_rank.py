"""Relevance rank accuracy (Arras et al. 2022): are the K strongest places the K of the target?"""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.ranking import ranking_of


@METRICS.register("Relevance rank", needs={"truth"}, reference="Arras et al. 2022")
def relevance_rank(
    evaluation: Evaluation, *, level: Level = "voxel", sign: Sign = "positive"
) -> Score:
    """Return the share of the K strongest places that lie in the target of K places.

    Higher is better. Ties by expectation. Chance: the target's share of the places that count; on
    voxels, where maps are smooth, only on average over where a target may lie.

    What fools it. Nothing is said of how much stronger they are. On voxels a map of large patches
    cannot fill a small target whose edges it does not share: compare with the oracle.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; the target is every patch that it touches.
    sign
        Which relevance: what speaks for the class, sizes, or signed values.
    """
    found = ranking_of(evaluation, level, sign)
    return Score(found.expected_hits(found.target) / found.target, found.base_rate)
