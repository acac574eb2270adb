"""Deletion (Petsiuk, Das and Saenko: RISE, BMVC 2018)."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.removal import Removal, Steps, Substrate, Unit
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.courses import along


@METRICS.register(
    "Deletion",
    needs={"network"},
    direction="lower",
    cost="many passes",
    reference="Petsiuk et al. 2018",
)
def deletion(
    evaluation: Evaluation,
    *,
    substrate: Substrate = "zero",
    unit: Unit = "patch",
    steps: Steps = "early",
    normalised: bool = False,
) -> Score:
    """Return the area under the class's probability while the most relevant parts go first.

    Lower is better: a true map makes the answer fall at once. Chance: the mean area of three random
    orders. Ties are broken at random; three draws are averaged where many units are tied.

    What fools it. Images with holes are none the network was trained on, so it may fall for any
    hole; and a baseline that the network takes for the class leaves nothing to lose. The
    probability at the baseline comes with the score, which is marked "uninformative" when less than
    0.2 can be lost (Tomsett et al., AAAI 2020).

    Parameters
    ----------
    substrate
        What stands where a part was.
    unit
        Whether patches go at once, or voxels.
    steps
        How finely: early steps tell apart maps of targets that fill a hundredth of the volume.
    normalised
        Whether the probability is rescaled first: 1 for the whole volume, 0 for the baseline.
    """
    return along(
        evaluation,
        Removal(substrate, unit, steps),
        lambda course: course.area(course.removing, normalised),
        {"deletion": lambda course: course.removing},
    )
