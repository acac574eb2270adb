"""Positive perturbation test (Chefer, Gur and Wolf, CVPR 2021): most relevant first."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.removal import Removal, Substrate, Unit
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.courses import along, kept_class


@METRICS.register(
    "Positive perturbation (MoRF)",
    needs={"network"},
    direction="lower",
    cost="many passes",
    reference="Chefer et al. 2021",
)
def morf_accuracy(
    evaluation: Evaluation, *, substrate: Substrate = "zero", unit: Unit = "patch"
) -> Score:
    """Return the share of removals after which the class still wins, most relevant parts first.

    The protocol is Chefer's: 10, 20 … 90 % of the units go, and the area under the accuracy over
    that range is divided by its length. For one volume the accuracy at a step is 0 or 1, of the
    explained class. Lower is better: a true map makes the class fall at once. Chance: the mean of
    three random orders.

    What fools it. Any hole in the image may cost the class, whatever was there. Targets that fill a
    hundredth of the volume are gone at the first step: all good maps then score alike.

    Parameters
    ----------
    substrate
        What stands where a part was. Theirs is black before normalisation; zero here is zero in the
        network's input.
    unit
        Whether patches go at once, or voxels.
    """
    return along(
        evaluation,
        Removal(substrate, unit, "tenths"),
        lambda course: kept_class(course, course.removing),
        {"most relevant first": lambda course: course.removing},
    )
