"""ROAD, remove and debias (Rong et al., ICML 2022), in 3D."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.removal import Removal, Unit
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.courses import Course, along


@METRICS.register(
    "ROAD",
    needs={"network"},
    direction="higher",
    cost="many passes",
    reference="Rong et al. 2022",
)
def road(evaluation: Evaluation, *, unit: Unit = "patch") -> Score:
    """Return half of what removing the most relevant parts costs more than the least relevant.

    What is removed becomes the weighted mean of its neighbours, with a little noise, so that the
    shape of a hole tells nothing. The class's probability is read after 0.5, 1, 2, 5, 10, 20, 50
    and 90 % of the units, counted exactly, and (LeRF - MoRF) / 2 is averaged, as pytorch-grad-cam
    does over 10 to 90 %. Higher is better. Chance: the mean of three random orders, near zero.

    What fools it. Smooth maps remove compact pieces, of which interpolation leaves less than of
    scattered voxels: blurry maps gain (arXiv 2304.13836). What interpolation leaves of a large
    structure may still carry the class. When everything goes, the mean is left; if that keeps the
    probability the score is marked "uninformative".

    Parameters
    ----------
    unit
        Whether patches go at once, or voxels.
    """
    return along(
        evaluation,
        Removal("road", unit, "road"),
        _combined,
        {
            "most relevant first": lambda course: course.removing,
            "least relevant first": lambda course: course.least_first,
        },
    )


def _combined(course: Course) -> float:
    most, least = course.curve(course.removing), course.curve(course.least_first)
    return float((least - most)[1:-1].mean() / 2)
