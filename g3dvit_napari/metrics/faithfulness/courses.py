"""Removal curves: what the network says while a volume is taken apart in the order of a map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from math import isfinite, nan

import numpy as np
from scipy.integrate import trapezoid

from g3dvit_napari.core.controls import control
from g3dvit_napari.core.evaluation import Evaluation, Floats, Scene
from g3dvit_napari.core.network import Network
from g3dvit_napari.core.removal import Removal, Sweep
from g3dvit_napari.core.score import Curve, Score, undefined
from g3dvit_napari.metrics.asking import asked
from g3dvit_napari.metrics.faithfulness.removal_order import (
    End,
    Ranks,
    orders_of,
    random_orders,
    reversed_order,
)

INFORMATIVE = 0.2  # by which the answer must fall when everything is removed
MOST_ONE_BY_ONE = 4096


@dataclass(frozen=True, eq=False)
class Course:
    """One order of removal; the network is asked when an answer is first looked at."""

    network: Network
    removal: Removal
    target: int
    ranks: Ranks

    @cached_property
    def removing(self) -> Sweep:
        """The most relevant units go first."""
        return self.network.sweep(self.removal, self.ranks)

    @cached_property
    def inserting(self) -> Sweep:
        """All is gone, and the most relevant units come back first.

        These are the images of removing the least relevant first, met backwards, where the steps
        are the same from both ends.
        """
        return self.network.sweep(self.removal, self.ranks, insert=True)

    @cached_property
    def least_first(self) -> Sweep:
        """The least relevant units go first."""
        return self.network.sweep(self.removal, reversed_order(self.ranks))

    def curve(self, sweep: Sweep) -> Floats:
        """Return the probability of the explained class at each step."""
        found: Floats = sweep.probabilities[:, self.target]
        return found

    def area(self, sweep: Sweep, normalised: bool = False) -> float:
        """Return the area under the probability, by the trapezoid rule; on equal steps RISE's."""
        values = self.curve(sweep)
        if normalised:
            values = rescaled(values, *self._ends)
        return float(trapezoid(values, sweep.fractions))

    @cached_property
    def _ends(self) -> tuple[float, float]:
        ranked = self.ranks >= 0
        _, found = self.network.hidden(self.removal, [np.zeros_like(ranked), ranked])
        return float(found[0, self.target]), float(found[1, self.target])


_SAME = "the network says the same when everything is removed"
Reader = Callable[[Course], float]
Path = Callable[[Course], Sweep]


def along(
    evaluation: Evaluation,
    removal: Removal,
    read: Reader,
    shown: Mapping[str, Path],
    *,
    end: End = "most",
    by_chance: Reader | None = None,
    otherwise: str = _SAME,
) -> Score:
    """Return a score that is read from what the network says along a map's order.

    Chance is the mean over three random orders of the same scene, the ceiling what the oracle
    gets where the truth is known. Both share their passes with all maps of the scene.

    Parameters
    ----------
    evaluation, removal
        The map, and how parts are taken away in its order.
    read
        The number of one course.
    shown
        Which curves of it are worth looking at, by name.
    end
        Whose ties matter: those of the units that are most, or least, relevant.
    by_chance
        The number of a random order, where that is read in another way.
    otherwise
        Why there is no number, if there is none.
    """
    scene = evaluation.scene
    if reason := why_not(scene, removal):
        return undefined(reason)
    courses = courses_of(scene, removal, orders_of(evaluation, removal.unit, end))
    random = courses_of(scene, removal, random_orders(scene, removal.unit))
    value, drawn = _mean(read, courses), [(by_chance or read)(course) for course in random]
    whole, bare = answers_at_ends(scene, removal)
    return Score(
        value,
        float(np.mean(drawn)),
        ceiling=_ceiling(scene, removal, read, end),
        flags=() if whole - bare >= INFORMATIVE else ("uninformative",),
        reason="" if isfinite(value) else otherwise,
        figures={
            "probability": whole,
            "probability_baseline": bare,
            "chance_lowest": float(np.min(drawn)),
            "chance_highest": float(np.max(drawn)),
        },
        curves=_curves(courses, shown, whole, bare) | _of_chance(random, shown),
    )


def kept_class(course: Course, sweep: Sweep) -> float:
    """Return the mean over 10 to 90 % removed of whether the class still wins, by trapezoids."""
    inside = (sweep.fractions > 0) & (sweep.fractions < 1)
    where = sweep.fractions[inside]
    wins = (sweep.logits[inside].argmax(1) == course.target).astype(np.float64)
    if len(where) < 2:
        return float(wins.mean()) if len(where) else nan
    return float(trapezoid(wins, where) / np.ptp(where))


def why_not(scene: Scene, removal: Removal) -> str:
    """Return why there is no curve, or an empty text."""
    count = int(scene.counted_units(removal.unit).sum())
    if count == 0:
        return "no unit lies where relevance counts"
    if removal.steps == "patch" and count > MOST_ONE_BY_ONE:
        return f"one by one takes {count} passes; choose other steps"
    if not np.isfinite(answers_at_ends(scene, removal)).all():
        return "the network gives no probability"
    return ""


def answers_at_ends(scene: Scene, removal: Removal) -> tuple[float, float]:
    """Return the probability of the explained class with nothing and everything removed."""
    network = asked(scene)
    counted = scene.counted_units(removal.unit)
    _, found = network.hidden(removal, [np.zeros_like(counted), counted])
    return float(found[0, scene.target]), float(found[1, scene.target])


def courses_of(scene: Scene, removal: Removal, orders: Sequence[Ranks]) -> list[Course]:
    """Return the courses along orders; the scene keeps them for other metrics and maps."""
    found = []
    for ranks in orders:
        key = "course", removal, scene.target, blake2b(ranks.tobytes(), digest_size=16).digest()
        make = partial(Course, asked(scene), removal, scene.target, ranks)
        found.append(scene.once(key, make))
    return found


def rescaled(values: Floats, whole: float, bare: float) -> Floats:
    """Return probabilities so that the whole volume has 1 and the baseline 0; NaN if they agree."""
    if whole == bare:
        return np.full_like(values, nan)
    return (values - bare) / (whole - bare)


def _mean(read: Reader, courses: Sequence[Course]) -> float:
    return float(np.mean([read(course) for course in courses]))


def _ceiling(scene: Scene, removal: Removal, read: Reader, end: End) -> float | None:
    if scene.truth is None or not scene.truth[scene.counted].any():
        return None
    best = scene.once("oracle", lambda: control("oracle", scene))
    orders = orders_of(best, removal.unit, end)
    return _mean(read, courses_of(scene, removal, orders))


def _of_chance(random: Sequence[Course], shown: Mapping[str, Path]) -> dict[str, Curve]:
    """Return the mean curves of random orders, as they are."""
    names = {f"{name}, chance": path for name, path in shown.items()}
    return _curves(random, names, 0.0, 0.0)


def _curves(
    courses: Sequence[Course], shown: Mapping[str, Path], whole: float, bare: float
) -> dict[str, Curve]:
    """Return the mean curves of all draws, as they are and normalised."""
    found = {}
    for name, path in shown.items():
        fractions = tuple(path(courses[0]).fractions.tolist())
        values = np.mean([course.curve(path(course)) for course in courses], axis=0)
        found[name] = Curve(fractions, tuple(values.tolist()))
        if whole != bare:
            normalised = rescaled(values, whole, bare)
            found[f"{name}, normalised"] = Curve(fractions, tuple(normalised.tolist()))
    return found
