"""What is plotted of a time course."""

from __future__ import annotations

from math import isfinite, isnan

from g3dvit_napari.plugin.controls.panels import COLORS, Line, Panel
from g3dvit_napari.plugin.series.axes import round_top
from g3dvit_napari.plugin.series.course import Course
from g3dvit_napari.plugin.series.regions import Region

REGION_COLOR = "#1a9e77"


def panels_of(course: Course, every_class: bool, region: Region) -> tuple[Panel, ...]:
    """Return the panels of a course: probabilities above, a region's share below."""
    return probabilities(course, every_class), shares(course, region)


def probabilities(course: Course, every_class: bool) -> Panel:
    """Return the probability of the explained class, or of the likely ones, per frame."""
    if any(isnan(course.frames[n].prediction.probabilities[0]) for n in course.numbers):
        return _regression(course)
    lines = []
    for rank, number in enumerate(_classes(course, every_class)):
        values = {n: course.frames[n].prediction.probabilities[number] for n in course.numbers}
        explained = course.request.target in (None, number)
        lines.append(Line(course.names[number], values, COLORS[rank], explained))
    return Panel("probability", tuple(lines))


def _classes(course: Course, every_class: bool) -> list[int]:
    """Return the explained class first, then the others by their largest probability."""
    target = course.request.target
    first = [] if target is None else [int(target)]
    explained = {course.frames[n].target for n in course.numbers}
    top = {
        number: max(course.frames[n].prediction.probabilities[number] for n in course.numbers)
        for number in range(len(course.names))
    }
    others = sorted(top, key=lambda number: -top[number])
    if not every_class:
        others = [number for number in others if number in explained]
    return [*first, *(n for n in others if n not in first)][: len(COLORS)]


def _regression(course: Course) -> Panel:
    values = {n: course.frames[n].prediction.logits[0] for n in course.numbers}
    low, high = min(values.values()), max(values.values())
    room = (high - low) / 10 or max(abs(high), 1.0) / 10
    line = Line(course.names[0], values, COLORS[0])
    return Panel("value", (line,), low - room, high + room)


def shares(course: Course, region: Region) -> Panel:
    """Return the share of the relevance that lies in a region, per frame."""
    known = course.shares.get(region, {})
    finite = [share for share in known.values() if isfinite(share)]
    line = Line(region.name, known, REGION_COLOR)
    return Panel("share of relevance", (line,), 0.0, min(round_top(max(finite, default=1.0)), 1.0))
