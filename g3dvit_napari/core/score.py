"""What a metric says of one map: never a number alone, always with what chance would give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from g3dvit_napari.core.types import Explanation

Direction = Literal["higher", "lower", "none"]  # which way is better; "none": it only describes
OTHERWISE = (", chance", ", normalised")  # ends of the names of curves that go with another
Flag = Literal["degenerate", "uninformative"]


@dataclass(frozen=True)
class Curve:
    """A metric's number along a path: the share that was removed, and what it led to.

    `labels` are the names of the places on the path, where they have any.
    """

    fractions: tuple[float, ...]
    values: tuple[float, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """A metric's number for one map, with all that is needed to read it.

    value
        NaN where the metric is not defined; `reason` says why.
    chance
        What a map that knows nothing gets, by closed form or measured on random maps.
    ceiling
        What the best map of this resolution gets; None where no such map is known.
    flags
        "degenerate": the map says nothing and was given the chance value; "uninformative": the
        setting cannot tell maps apart here.
    figures
        Numbers that must be known to read it, by name, such as the network's answers at both ends.
    curves
        What the number was read from, by name.
    metric, direction, settings
        Filled in by whoever runs the metric.
    """

    value: float
    chance: float
    ceiling: float | None = None
    flags: tuple[Flag, ...] = ()
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    metric: str = ""
    direction: Direction = "higher"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def curve(self) -> Curve | None:
        """The curve that the value was read from, as it is; None where it was read from none."""
        return next((c for n, c in self.curves.items() if not n.endswith(OTHERWISE)), None)

    @property
    def chance_curve(self) -> Curve | None:
        """The mean curve of maps that know nothing."""
        return next((c for n, c in self.curves.items() if n.endswith(OTHERWISE[0])), None)

    @property
    def ceiling_ratio(self) -> float:
        """The value as a share of the ceiling; NaN without one."""
        if self.ceiling is None or not isfinite(self.ceiling) or self.ceiling == 0:
            return nan
        return self.value / self.ceiling

    @property
    def better_than_chance(self) -> bool | None:
        """Whether the value beats chance; None where neither is better, or it cannot be said."""
        if self.direction == "none" or not (isfinite(self.value) and isfinite(self.chance)):
            return None
        gain = self.value - self.chance
        return gain > 0 if self.direction == "higher" else gain < 0


@dataclass(frozen=True, eq=False)
class Judgement:
    """One explanation and what the metrics say of it."""

    explanation: Explanation
    scores: tuple[Score, ...]


def undefined(reason: str, chance: float = nan) -> Score:
    """Return the score of a metric that cannot be computed here, with the reason."""
    return Score(nan, chance, reason=reason)
