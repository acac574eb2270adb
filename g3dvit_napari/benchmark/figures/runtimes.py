"""What a map costs and what it is worth: seconds against the score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from g3dvit_napari.api import METHODS
from g3dvit_napari.benchmark.figures.style import COLOURS, GREY, INK, PUBLISHED, drawing, words
from g3dvit_napari.benchmark.tables.board import Board, title_of
from g3dvit_napari.benchmark.tables.scores import Summed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = ("o", "s", "^", "D", "v", "P")
BEST, SLOWEST = 8, 4  # points with a name
Box = tuple[float, float, float, float]  # left, bottom, right, top
Point = tuple[str, float, float]  # row, seconds, score


def points_of(board: Board, sums: Summed, cell: str, column: str) -> list[Point]:
    """Return the median seconds and the mean score of every method."""
    seconds: dict[str, list[float]] = {}
    for one in board.of(cell, column):
        if one.kind == "method" and isfinite(one.seconds):
            seconds.setdefault(one.method, []).append(one.seconds)
    return [
        (one.row, float(np.median(seconds[one.row])), one.value.mean)
        for one in sums[cell, "vit", column][1]
        if one.row in seconds and isfinite(one.value.mean)
    ]


@contextmanager
def runtime_figure(board: Board, sums: Summed, cell: str, column: str) -> Iterator[Figure]:
    """Draw every method as a point, its family as the mark; ceiling and chance as lines."""
    points = points_of(board, sums, cell, column)
    families = sorted({_family(row) for row, _, _ in points})
    with drawing(7.2, 4.6) as figure:
        axes = figure.subplots()
        axes.set_xscale("log")
        for number, family in enumerate(families):
            mine = [point for point in points if _family(point[0]) == family]
            axes.plot(
                [p[1] for p in mine],
                [p[2] for p in mine],
                MARKS[number % len(MARKS)],
                color=COLOURS[number % len(COLOURS)],
                ms=6,
                mec="white",
                mew=0.6,
                label=family,
            )
        _bounds(axes, sums, cell, column)
        axes.set_xlabel("seconds per map (median)")
        axes.set_ylabel(title_of(column))
        axes.set_title(cell)
        axes.margins(x=0.16, y=0.06)
        figure.legend(loc="outside lower center", ncols=len(families) + 1, fontsize=8)
        figure.draw_without_rendering()
        _labels(axes, named(points, sums[cell, "vit", column][0] != "lower"), points)
        yield figure


def _bounds(axes: Axes, sums: Summed, cell: str, column: str) -> None:
    for name, style in (("ceiling", "-"), ("chance", (0, (1, 1)))):
        values = [getattr(one, name) for one in sums[cell, "vit", column][1]]
        known = [value for value in values if isfinite(value)]
        if known:
            axes.axhline(float(np.mean(known)), color=GREY, lw=1.0, ls=style, zorder=0)
            axes.annotate(
                name, (1.0, float(np.mean(known))), xycoords=("axes fraction", "data"),
                xytext=(-2, 2), textcoords="offset points", ha="right", color=GREY, fontsize=7.5,
            )  # fmt: skip


def named(points: Sequence[Point], higher: bool = True) -> list[Point]:
    """Return the points that are named: the best, those that no quicker one beats, g3dvit."""
    order = sorted(points, key=lambda p: -p[2] if higher else p[2])
    quicker = [
        point for place, point in enumerate(order) if all(point[1] < p[1] for p in order[:place])
    ]
    slowest = sorted(points, key=lambda p: -p[1])[:SLOWEST]
    own = [point for point in points if point[0] == "g3dvit"]
    return list(dict.fromkeys([*order[:BEST], *quicker, *own, *slowest]))


def _labels(axes: Axes, points: Sequence[Point], every: Sequence[Point]) -> None:
    """Write names beside the points; one that would cover another moves up, with a line."""
    place, unit = axes.transData.transform, axes.figure.dpi / 72  # pixels of a point
    marks = [place((seconds, score)) for _, seconds, score in every]
    half = 3.5 * unit
    taken: list[Box] = [(x - half, y - half, x + half, y + half) for x, y in marks]
    for row, seconds, score in sorted(points, key=lambda p: p[2]):
        x, y = place((seconds, score))
        wide, high = 4.0 * len(words(row)) * unit, 8.4 * unit
        box = (x + 6 * unit, y - high / 2, x + 6 * unit + wide, y + high / 2)
        shift = _free(taken, box, high / 2)
        taken.append((box[0], box[1] + shift, box[2], box[3] + shift))
        axes.annotate(
            words(row), (seconds, score), xytext=(6, shift / unit), textcoords="offset points",
            va="center", fontsize=7, color=PUBLISHED if row == "g3dvit" else INK,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.5} if shift > high else None,
        )  # fmt: skip


def _free(taken: Sequence[Box], box: Box, step: float) -> float:
    """Return how far a box must move up to cover no other."""
    left, bottom, right, top = box
    shift = 0.0
    while any(
        left < t[2] and t[0] < right and bottom + shift < t[3] and t[1] < top + shift for t in taken
    ):
        shift += step
    return shift


def _family(row: str) -> str:
    method = row.split()[0]
    return METHODS[method].family if method in METHODS else "others"
