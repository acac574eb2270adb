"""The share of the relevance that lies in something that looks like the signal and is none."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.mass import score_of_share


@METRICS.register(
    "Distractor mass", needs={"distractor"}, direction="lower", reference="Arras et al. 2022"
)
def distractor_mass(
    evaluation: Evaluation, *, level: Level = "voxel", sign: Sign = "positive"
) -> Score:
    """Return the share of the relevance that lies in the distractor.

    Lower is better. Chance: the distractor's share of the places that count.

    What fools it. A map that misses everything has a low value: read it with the relevance mass.
    And a network may really use the distractor: then the map is right, and the network is not.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; a patch counts by the share that it fills.
    sign
        Which relevance: what speaks for the class, or sizes.
    """
    found = evaluation.against(evaluation.scene.mask("distractor"), level, sign)
    return score_of_share(found.values, found.share, sign)
