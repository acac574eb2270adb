"""AOPC, the area over the perturbation curve (Samek et al., TNNLS 2017)."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.removal import Removal, Steps, Substrate, Unit
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.courses import Course, along


@METRICS.register(
    "Area over the perturbation curve",
    needs={"network"},
    direction="higher",
    cost="many passes",
    reference="Samek et al. 2017",
)
def aopc(
    evaluation: Evaluation,
    *,
    substrate: Substrate = "zero",
    unit: Unit = "patch",
    steps: Steps = "early",
) -> Score:
    """Return by how much the probability has fallen, on average over the steps of removal.

    The most relevant parts go first; the mean of f(x) - f(x_s) runs over all steps, the first one
    with nothing removed included. Higher is better. On equal steps it is nearly the probability
    minus the deletion score; early steps weigh the beginning more. Chance: the mean of three random
    orders.

    What fools it. Whatever fools deletion; and a network that is unsure has little to lose, so
    values of two volumes or networks cannot be compared.

    Parameters
    ----------
    substrate
        What stands where a part was.
    unit
        Whether patches go at once, or voxels.
    steps
        At which steps the mean is taken.
    """
    return along(
        evaluation,
        Removal(substrate, unit, steps),
        _fallen,
        {"deletion": lambda course: course.removing},
    )


def _fallen(course: Course) -> float:
    values = course.curve(course.removing)
    return float((values[0] - values).mean())
