"""Does the strongest place lie in something that looks like the signal and is none?"""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.pointing_game import share_of_strongest


@METRICS.register(
    "Distractor hit", needs={"distractor"}, direction="lower", reference="Zhang et al. 2018"
)
def distractor_hit(
    evaluation: Evaluation, *, level: Level = "voxel", sign: Sign = "positive"
) -> Score:
    """Return 1 if the strongest place lies in the distractor, else 0; of several the share.

    Lower is better. Chance: the distractor's share of the places that count.

    What fools it. As for the pointing game, one place decides; and a patch that touches both
    distractor and target counts for both.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; every patch that the distractor touches is one.
    sign
        Which relevance: what speaks for the class, sizes, or signed values.
    """
    found = evaluation.against(evaluation.scene.mask("distractor"), level, sign)
    return Score(share_of_strongest(found.values, found.target), float(found.target.mean()))
