"""The share of the relevance that lies in the brain at all."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.mass import score_of_share


@METRICS.register("In-brain mass", needs={"brain"}, reference="Arras et al. 2022")
def in_brain_mass(
    evaluation: Evaluation, *, level: Level = "voxel", sign: Sign = "positive"
) -> Score:
    """Return the share of all relevance in the field of view that lies in the brain.

    Higher is better, whatever else is said to count. Chance: the brain's share of the field of
    view.

    What fools it. It is a matter of plausibility alone: half of a box around a brain is brain, and
    patches at its surface stick out of it. A network may also look at air for a reason.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; a patch counts by the share that is brain.
    sign
        Which relevance: what speaks for the class, or sizes.
    """
    seen = evaluation.everywhere
    found = seen.against(seen.scene.mask("brain"), level, sign)
    return score_of_share(found.values, found.share, sign)
