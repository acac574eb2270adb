"""Insertion minus deletion (after Petsiuk et al., BMVC 2018): both curves in one number."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.removal import Removal, Steps, Substrate, Unit
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.courses import along


@METRICS.register(
    "Insertion minus deletion",
    needs={"network"},
    direction="higher",
    cost="many passes",
    reference="Petsiuk et al. 2018",
)
def insertion_minus_deletion(
    evaluation: Evaluation,
    *,
    substrate: Substrate = "zero",
    unit: Unit = "patch",
    steps: Steps = "early",
    normalised: bool = False,
) -> Score:
    """Return the area under the insertion curve minus that under the deletion curve.

    Higher is better. It equals the area between removing the least and the most relevant parts
    first; on equal steps it is nearly AGCAM's ABPC. Chance: the mean of three random orders.

    What fools it. It subtracts what both curves owe to holes in the image, not what a baseline that
    suits one method owes to it (Picard et al., arXiv 2512.11433). Look at several baselines, and at
    the probability that each leaves.

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
        lambda c: c.area(c.inserting, normalised) - c.area(c.removing, normalised),
        {"insertion": lambda c: c.inserting, "deletion": lambda c: c.removing},
    )
