"""Relevance mass accuracy (Arras et al. 2022), or energy-based pointing game (Wang et al. 2020)."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.mass import score_of_share


@METRICS.register("Relevance mass", needs={"truth"}, reference="Arras et al. 2022")
def relevance_mass(
    evaluation: Evaluation, *, level: Level = "voxel", sign: Sign = "positive"
) -> Score:
    """Return the share of the relevance that lies in the target.

    Higher is better. Chance: the target's share of the places that count.

    What fools it. A single hot patch inside the target beats the oracle, which spreads over all
    patches that the target touches. And a little relevance everywhere hides the best peak.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; a patch counts by the share that the target fills.
    sign
        Which relevance: what speaks for the class, or sizes.
    """
    share = evaluation.scene.truth_share(level)
    return score_of_share(evaluation.values(level, sign), share, sign)
