"""The map of a network whose weights were drawn anew, in part or altogether."""

from __future__ import annotations

from collections.abc import Sequence

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.metrics.asking import made_by


def redrawn(evaluation: Evaluation, stages: Sequence[str], seed: int) -> Evaluation:
    """Return the map by the same method of a network with these stages drawn anew.

    Each is made once for all metrics that look at it.
    """
    key = ("redrawn", tuple(stages), seed)
    made = evaluation.once(key, lambda: made_by(evaluation).randomised(stages, seed))
    return evaluation.like(made)
