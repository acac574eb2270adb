"""What is plotted of scores: the curves behind them, per method, and chance beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, sqrt
from typing import Literal

from g3dvit_napari.core.score import Curve, Judgement, Score
from g3dvit_napari.plugin.controls.panels import COLORS, Line, Panel

Spacing = Literal["even", "start"]
_GREY = COLORS[-1]
_TITLES = {
    "deletion": ("probability", "removed, the most relevant parts first"),
    "insertion": ("probability", "brought back, the most relevant parts first"),
}
_STAGES = "network drawn anew, from the head on"


@dataclass(frozen=True)
class ShareAxis:
    """Shares from 0 to 1 between two positions.

    spacing
        "even": equal steps; areas are then as the scores have them. "start": by the square root,
        so that the first per cent have room.
    labels
        Names of the shares, where they have any.
    """

    left: float
    right: float
    title: str = ""
    spacing: Spacing = "even"
    labels: Mapping[float, str] | None = None

    def x(self, place: float, /) -> float:
        """Return the position of a share."""
        drawn = sqrt(max(place, 0.0)) if self.spacing == "start" else place
        return self.left + drawn * (self.right - self.left)

    def share_at(self, x: float) -> float:
        """Return the share at a position; beyond the ends the last one."""
        drawn = min(max((x - self.left) / max(self.right - self.left, 1e-9), 0.0), 1.0)
        return drawn**2 if self.spacing == "start" else drawn

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return positions and words of at most so many ticks."""
        shares = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0) if self.spacing == "start" else _even(most)
        return [(self.x(share), f"{100 * share:g} %") for share in shares]

    def words(self, share: float) -> str:
        """Return a share in words: its name, or per cent."""
        names = self.labels or {}
        return names.get(share, f"{100 * share:.3g} %")


@dataclass(frozen=True)
class Drawn:
    """A panel, what its axis shows, and the names of places on it."""

    panel: Panel
    axis: str
    labels: Mapping[float, str]

    @property
    def places(self) -> list[float]:
        """All shares that any line has a value for."""
        return sorted({float(place) for line in self.panel.lines for place in line.values})


def plotted(judgements: Sequence[Judgement]) -> list[str]:
    """Return the names of the metrics that have a curve."""
    found: dict[str, None] = {}
    for one in judgements:
        found.update({score.metric: None for score in one.scores if score.curve})
    return list(found)


def drawn(
    judgements: Sequence[Judgement], metric: str, title_of: Callable[[str], str], first: str
) -> Drawn:
    """Return one metric's curves of all methods, that of the `first` one strong."""
    lines, labels, seen = list[Line](), dict[float, str](), None
    for number, one in enumerate(judgements):
        score = next((s for s in one.scores if s.metric == metric), None)
        curve = score.curve if score is not None else None
        if score is None or curve is None:
            continue
        method = one.explanation.request.method
        color = COLORS[number % (len(COLORS) - 1)]
        lines.append(Line(title_of(method), _values(curve), color, method == first))
        labels.update(zip(curve.fractions, curve.labels, strict=False))
        seen = score if seen is None or method == first else seen
    extra = [] if seen is None else [*_chance(seen), *_ends(seen)]
    what, axis = _TITLES.get(metric, ("similarity", _STAGES) if labels else ("value", "share"))
    shown = (*extra, *lines)
    found = [v for line in shown for v in line.values.values() if isfinite(v)]
    low, high = floor(2 * min(found, default=0.0)) / 2, ceil(2 * max(found, default=1.0)) / 2
    return Drawn(Panel(what, shown, min(low, 0.0), max(high, 1.0)), axis, labels)


def _values(curve: Curve) -> dict[float, float]:
    return dict(zip(curve.fractions, curve.values, strict=True))


def _chance(score: Score) -> list[Line]:
    """Return the curve of random maps; where only a value is known, that of a network redrawn."""
    if score.chance_curve is not None:
        return [Line("chance", _values(score.chance_curve), _GREY, False, True)]
    if score.curve is None or not score.curve.labels or not isfinite(score.chance):
        return []
    level = {0.0: score.chance, 1.0: score.chance}
    return [Line("chance", level, _GREY, False, True)]


def _ends(score: Score) -> list[Line]:
    """Return what the network says of the whole volume, and of nothing: one dot each."""
    whole, bare = (score.figures.get(n) for n in ("probability", "probability_baseline"))
    if whole is None or bare is None:
        return []
    first, last = (0.0, 1.0) if score.direction == "lower" else (1.0, 0.0)
    return [
        Line("whole volume", {first: whole}, COLORS[4]),
        Line("all removed", {last: bare}, COLORS[3]),
    ]


def _even(most: int) -> Sequence[float]:
    count = 5 if most > 5 else 4 if most >= 4 else 2
    return [n / count for n in range(count + 1)]
