"""Scores as a share of what a perfect map of this resolution gets: dots with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from g3dvit_napari.benchmark.figures.style import (
    COLOURS,
    FAINT,
    GREY,
    INK,
    PUBLISHED,
    drawing,
    words,
)
from g3dvit_napari.benchmark.tables.board import Board, title_of
from g3dvit_napari.benchmark.tables.ranks import SHARE
from g3dvit_napari.benchmark.tables.scores import Summed
from g3dvit_napari.benchmark.tables.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREFERRED = (
    "iou", "average_precision", "relevance_mass", "pointing_game", "max_iou", "matthews",
    "relevance_rank",
)  # fmt: skip
MOST = 4  # panels


def columns_with_ceilings(sums: Summed, cell: str) -> list[str]:
    """Return the metrics of a task that have a ceiling, the ones that say most first."""
    known = [
        column
        for (place, family, column), (_, found) in sums.items()
        if (place, family) == (cell, "vit") and any(isfinite(s.ceiling_ratio.mean) for s in found)
    ]
    chosen = [column for column in PREFERRED if column in known]
    return (chosen or known)[:MOST]


@contextmanager
def ceiling_figure(
    board: Board, sums: Summed, cell: str, columns: Sequence[str]
) -> Iterator[Figure]:
    """Draw one panel per metric, one line per row, in the order of the first metric."""
    found = {c: {one.row: one for one in sums[cell, "vit", c][1]} for c in columns}
    first = found[columns[0]]
    share = {row: float(np.nan_to_num(one.ceiling_ratio.mean)) for row, one in first.items()}
    rows = sorted((row for row in first if row != "oracle"), key=lambda row: (share[row], row))
    most = max(one.volumes for one in first.values())
    with drawing(2.3 + 1.65 * len(columns), 1.1 + 0.165 * len(rows)) as figure:
        panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        for axes, column in zip(panels, columns, strict=True):
            _panel(axes, rows, found[column], board)
            axes.set_title(title_of(column))
        panels[0].set_yticks(range(len(rows)), [_label(first[row], most) for row in rows])
        for label, row in zip(panels[0].get_yticklabels(), rows, strict=True):
            label.set_color(GREY if row in board.controls else INK)
        panels[0].set_ylim(-0.7, len(rows) - 0.3)
        figure.supxlabel("score / ceiling", fontsize=8.5)
        figure.suptitle(cell, fontsize=10, x=0.01, ha="left")
        yield figure


def _label(one: Summary, most: int) -> str:
    """Return the name of a row, with the number of its volumes where it has fewer than others."""
    few = f" ({one.volumes} vol.)" if one.volumes < SHARE * most else ""
    return f"{words(one.row)}{few}"


def _panel(axes: Axes, rows: Sequence[str], found: dict[str, Summary], board: Board) -> None:
    axes.axvline(1.0, color=INK, lw=1.0)
    chance = [one.chance / one.ceiling for one in found.values() if one.ceiling]
    known = [value for value in chance if isfinite(value)]
    if known:
        axes.axvline(float(np.mean(known)), color=GREY, lw=1.0, ls=(0, (1, 1)))
    for y, row in enumerate(rows):
        axes.axhline(y, color=FAINT, lw=0.5, zorder=0)
        one = found.get(row)
        if one is None or not isfinite(one.ceiling_ratio.mean):
            continue
        ratio = one.ceiling_ratio
        control = row in board.controls
        colour = GREY if control else PUBLISHED if row == "g3dvit" else COLOURS[0]
        axes.plot([ratio.low, ratio.high], [y, y], color=colour, lw=1.4, solid_capstyle="butt")
        axes.plot(
            ratio.mean, y, "o", ms=4.2, color=colour, mfc="white" if control else colour, mew=1.1
        )
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
