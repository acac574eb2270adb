"""Mean-sensitivity (Yeh et al., NeurIPS 2019)."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.robustness.sensitivity import score_of_changes


@METRICS.register(
    "Mean-sensitivity",
    needs={"explainer"},
    direction="lower",
    cost="many passes",
    reference="Yeh et al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019",
)
def mean_sensitivity(
    evaluation: Evaluation,
    *,
    radius: Annotated[float, {"min": 0.01, "max": 100.0}] = 5.0,
    draws: Annotated[int, {"min": 1, "max": 1000}] = 10,
) -> Score:
    """Return how far a map moves on average when the input hardly does.

    The mean, over random d, of ‖a(x + d) - a(x)‖ / ‖a(x)‖, on the map's own cells,
    for the same class. Lower is better. Chance: √2 for signed maps and √(2 - 2/π) for others, what
    unrelated normal maps, of the latter the positive parts, come to. Not defined for a map of
    zeros. The method runs once per draw; `max_sensitivity` looks at the same maps.

    What fools it. A constant map is perfect, and so is one that sees the position embedding alone:
    pair it with a score of localisation or faithfulness. The noise of a method that samples is not
    counted: its seed stays the same. A network that normalises every patch, as the vit_3d families
    do, blows the least change of a constant background up to full size, and any map of it moves:
    say where relevance counts, and nothing changes elsewhere.

    Parameters
    ----------
    radius
        The largest change of a voxel, in per cent of the image's standard deviation.
    draws
        How many changed inputs are explained.
    """
    return score_of_changes(evaluation, radius, draws, np.mean)
