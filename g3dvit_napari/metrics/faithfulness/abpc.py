"""ABPC, the area between perturbation curves (Leem and Seo: AGCAM, AAAI 2024)."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.removal import Removal, Substrate, Unit
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.courses import Course, along


@METRICS.register(
    "Area between perturbation curves",
    needs={"network"},
    direction="higher",
    cost="many passes",
    reference="Leem and Seo 2024",
)
def abpc(evaluation: Evaluation, *, substrate: Substrate = "zero", unit: Unit = "patch") -> Score:
    """Return how far removing the least relevant parts lies above removing the most relevant.

    The protocol is AGCAM's: the class's probability at 0, 10 … 100 % removed, the mean of the 11
    differences, no trapezoids (their spreadsheet divides by 12). Higher is better. It is insertion
    minus deletion on coarse steps: report one of them. Chance: the mean of three random orders,
    near zero.

    What fools it. Targets that fill a hundredth of the volume are gone at the first step: all good
    maps then score alike.

    Parameters
    ----------
    substrate
        What stands where a part was. Theirs is zero in the network's input, as here.
    unit
        Whether patches go at once, or voxels.
    """
    return along(
        evaluation,
        Removal(substrate, unit, "tenths"),
        _between,
        {
            "most relevant first": lambda course: course.removing,
            "least relevant first": lambda course: course.least_first,
        },
    )


def _between(course: Course) -> float:
    return float((course.curve(course.least_first) - course.curve(course.removing)).mean())
