"""Flip count: how much must go before another class wins (after Serrano and Smith, ACL 2019)."""

from __future__ import annotations

from math import isfinite, nan

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.removal import Removal, Steps, Substrate, Unit
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.courses import Course, along


@METRICS.register(
    "Flip count",
    needs={"network"},
    direction="lower",
    cost="many passes",
    reference="after Serrano and Smith 2019",
)
def flip_count(
    evaluation: Evaluation,
    *,
    substrate: Substrate = "zero",
    unit: Unit = "patch",
    steps: Steps = "early",
) -> Score:
    """Return the smallest number of removed units after which another class wins.

    The most relevant units go first; lower is better. It is known as finely as the steps are: one
    by one gives the exact number. Not defined when the class never changes. Chance: the mean of
    three random orders, of which one that never changes the class counts as all units.

    What fools it. A network that is unsure flips at the first hole; and where the baseline belongs
    to the class, no map can flip it.

    Parameters
    ----------
    substrate
        What stands where a part was.
    unit
        Whether patches go at once, or voxels.
    steps
        At which numbers it is looked.
    """

    def by_chance(course: Course) -> float:
        found = _flipped_at(course)
        return found if isfinite(found) else _units(course)

    return along(
        evaluation,
        Removal(substrate, unit, steps),
        _flipped_at,
        {"deletion": lambda course: course.removing},
        by_chance=by_chance,
        otherwise="no removal made another class win",
    )


def _flipped_at(course: Course) -> float:
    winners = course.removing.logits.argmax(1)
    changed = np.flatnonzero(winners != winners[0])
    if not changed.size:
        return nan
    return float(round(course.removing.fractions[changed[0]] * _units(course)))


def _units(course: Course) -> int:
    return int((course.ranks >= 0).sum())
