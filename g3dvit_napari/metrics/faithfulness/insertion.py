"""Insertion (Petsiuk, Das and Saenko: RISE, BMVC 2018)."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.removal import Removal, Steps, Substrate, Unit
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.courses import along


@METRICS.register(
    "Insertion",
    needs={"network"},
    direction="higher",
    cost="many passes",
    reference="Petsiuk et al. 2018",
)
def insertion(
    evaluation: Evaluation,
    *,
    substrate: Substrate = "zero",
    unit: Unit = "patch",
    steps: Steps = "early",
    normalised: bool = False,
) -> Score:
    """Return the area under the class's probability while the most relevant parts come back first.

    Higher is better: with a true map few parts bring the class back. It is the curve of removing
    the least relevant parts first, met from its end; one of the two is enough in a table. Chance:
    the mean area of three random orders.

    What fools it. What has come back stands in an image that the network never saw the like of, and
    a baseline that looks like the class gives every map a full score. The probability at the
    baseline comes with the score, which is marked "uninformative" when less than 0.2 can be gained.

    Parameters
    ----------
    substrate
        What stands where a part is missing.
    unit
        Whether patches come at once, or voxels.
    steps
        How finely: early steps tell apart maps of targets that fill a hundredth of the volume.
    normalised
        Whether the probability is rescaled first: 1 for the whole volume, 0 for the baseline.
    """
    return along(
        evaluation,
        Removal(substrate, unit, steps),
        lambda course: course.area(course.inserting, normalised),
        {"insertion": lambda course: course.inserting},
    )
