"""What the table of scores shows: never a value without what chance would give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from g3dvit_napari.core.registry import MetricEntry
from g3dvit_napari.core.score import Judgement, Score
from g3dvit_napari.plugin.controls.column import Column

ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
BETTER = {"higher": "Higher is better.", "lower": "Lower is better.", "none": "It only describes."}
MARKS = {"degenerate": "°", "uninformative": "?"}
FLAGS = {
    "degenerate": "° The map says nothing where it counts, so it has the chance value.",
    "uninformative": "? It cannot tell maps apart here: with everything removed, the network still "
    "says nearly the same.",
}
_NO_CHANCE = "what chance would give is not known"


@dataclass(frozen=True)
class Row:
    """One score of one method."""

    score: Score
    title: str
    method: str
    summary: str

    @property
    def hint(self) -> str:
        """All that is known of it, for a tooltip."""
        score = self.score
        lines = [
            self.summary,
            BETTER[score.direction],
            f"{self.method}: {_exact(score.value)}; chance {_exact(score.chance)}; "
            f"best map of this resolution {_exact(score.ceiling)}.",
            *(f"{name.replace('_', ' ')} {value:.3g}" for name, value in score.figures.items()),
            *(FLAGS[flag] for flag in score.flags),
            score.reason,
        ]
        return "\n".join(filter(None, lines))


def rows_of(
    judgements: Sequence[Judgement],
    entries: Mapping[str, MetricEntry],
    title_of: Callable[[str], str],
    method: str = "",
) -> list[Row]:
    """Return the scores that were computed, metric by metric; of one method, or of all."""
    rows = [
        Row(score, entries[score.metric].title, title, entries[score.metric].summary)
        for one in judgements
        for score in one.scores
        if _is_readable(score)
        for title in [title_of(one.explanation.request.method)]
        if method in ("", one.explanation.request.method)
    ]
    order = [score.metric for score in judgements[0].scores] if judgements else []
    return sorted(rows, key=lambda row: order.index(row.score.metric))


def silent(
    judgements: Sequence[Judgement], entries: Mapping[str, MetricEntry], method: str = ""
) -> str:
    """Return which scores could not be computed, by reason."""
    by_reason: dict[str, list[str]] = {}
    for one in judgements:
        if method not in ("", one.explanation.request.method):
            continue
        for score in one.scores:
            if not _is_readable(score):
                titles = by_reason.setdefault(score.reason or _NO_CHANCE, [])
                title = entries[score.metric].title
                titles += [] if title in titles else [title]
    lines = [f"{', '.join(titles)}: {reason}." for reason, titles in by_reason.items()]
    return "\n".join(["Not computed.", *lines]) if lines else ""


def _is_readable(score: Score) -> bool:
    """Whether there is a value, and what chance would give to read it by."""
    return isfinite(score.value) and isfinite(score.chance)


def _figure(value: float) -> str:
    """Write a number in five letters or so; the tooltip has more."""
    if abs(value) >= 1:
        return f"{value:.3g}"
    rounded = f"{value:.3f}"
    return rounded if value == 0 or float(rounded) else f"{value:.0e}"


def _exact(value: float | None) -> str:
    return "–" if value is None or not isfinite(value) else f"{value:.6g}"


def _finite(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else value


def _shown(row: Row) -> str:
    return _figure(row.score.value) + "".join(MARKS[flag] for flag in row.score.flags)


def _hint(row: Any) -> str:
    return str(row.hint)


SCORES: tuple[Column, ...] = (
    Column(
        "Check",
        "metric",
        "What was measured; the arrow points to what is better.",
        lambda row: f"{ARROWS[row.score.direction]} {row.title}".strip(),
        right=False,
        order=lambda words: words.lstrip("↑↓ "),
        hint=_hint,
    ),
    Column("Method", "method", "Whose map it is.", lambda row: row.method, right=False, hint=_hint),
    Column(
        "Value",
        "value",
        "The score; ° the map says nothing, ? it cannot tell maps apart here.",
        _shown,
        order=lambda words: float(words.rstrip("°?")),
        hint=_hint,
    ),
    Column(
        "Chance",
        "chance",
        "What a map that knows nothing gets.",
        lambda row: _finite(row.score.chance),
        lambda value: _figure(value),
        hint=_hint,
    ),
    Column(
        "Best",
        "ceiling",
        "What the best map of this resolution gets: the share of the truth in every patch.\n"
        "Known only where a mask says where the truth is.",
        lambda row: _finite(row.score.ceiling),
        lambda value: _figure(value),
        hint=_hint,
    ),
)
