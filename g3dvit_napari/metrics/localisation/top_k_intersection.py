"""Top-k intersection (Theiner et al. 2022): how many of the strongest places are in the target?"""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.ranking import ranking_of, top_count


@METRICS.register("Top-k intersection", needs={"truth"}, reference="Theiner et al. 2022")
def top_k_intersection(
    evaluation: Evaluation,
    *,
    level: Level = "voxel",
    sign: Sign = "positive",
    top: Annotated[float, {"min": 0.01, "max": 100.0, "step": 0.5}] = 1.0,
) -> Score:
    """Return the share of the strongest places that lie in the target.

    Higher is better. Ties by expectation. Chance: the target's share of the places that count; on
    voxels, where maps are smooth, only on average over where a target may lie.

    What fools it. Where more places are asked for than the target has, no map reaches one: compare
    with the oracle.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; the target is every patch that it touches.
    sign
        Which relevance: what speaks for the class, sizes, or signed values.
    top
        How many places, in per cent of those that count; one at least.
    """
    found = ranking_of(evaluation, level, sign)
    strongest = top_count(found.count, top)
    return Score(found.expected_hits(strongest) / strongest, found.base_rate)
