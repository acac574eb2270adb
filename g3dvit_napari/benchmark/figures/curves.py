"""Deletion and insertion, step by step: the mean curve of every method, with random and oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from g3dvit_napari.benchmark.figures.style import GREY, drawing, looks, words
from g3dvit_napari.benchmark.records.record import Record
from g3dvit_napari.benchmark.tables.board import Board, Floats, title_of
from g3dvit_napari.benchmark.tables.ranks import SHARE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID: Floats = np.linspace(0.0, 1.0, 101) ** 2  # as fine near zero as the targets are small
MOST = 8  # methods that can be told apart in one panel


def columns_with_curves(board: Board, cell: str) -> list[str]:
    """Return the metrics whose records hold a curve in a task."""
    return [c for c in board.columns() if any(one.curves for one in board.of(cell, c))]


@contextmanager
def curve_figure(board: Board, cell: str, columns: Sequence[str]) -> Iterator[Figure]:
    """Draw one panel per metric; per panel the best methods, g3dvit, the oracle and random maps."""
    with drawing(3.7 * len(columns), 3.9) as figure:
        panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        found = [mean_curves(board.of(cell, column)) for column in columns]
        shown = _chosen(board, cell, columns)
        style = looks(shown)
        for axes, column, curves in zip(panels, columns, found, strict=True):
            _panel(axes, {row: curves[row] for row in shown if row in curves}, style)
            axes.set_title(title_of(column))
        panels[0].set_ylabel("probability of the class")
        handles = [panels[0].plot([], [], label=words(row), **style[row])[0] for row in shown]
        figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=7.5)
        figure.suptitle(cell, fontsize=10, x=0.01, ha="left")
        yield figure


def mean_curves(records: Sequence[Record]) -> dict[str, Floats]:
    """Return the mean curve of every row on `GRID`: over networks of the mean over volumes."""
    by_row: dict[str, dict[int, list[Floats]]] = {}
    for one in records:
        for curve in list(one.curves.values())[:1]:
            values = np.interp(GRID, curve.fractions, curve.values)
            if np.isfinite(values).all():
                by_row.setdefault(one.method, {}).setdefault(one.seed, []).append(values)
    return {
        row: np.mean([np.mean(curves, axis=0) for curves in seeds.values()], axis=0)
        for row, seeds in by_row.items()
    }


def _chosen(board: Board, cell: str, columns: Sequence[str]) -> list[str]:
    """Return the methods with the best mean of the first metric, and what they are held against."""
    group = board.group(cell, columns[0])
    if group is None:
        return []
    means = np.nanmean(np.concatenate(group.values), axis=0)
    order = np.argsort(-means if group.higher else means, kind="stable")
    counts = [group.count(i) for i in range(len(group.rows))]
    methods = [
        group.rows[i]
        for i in order
        if group.rows[i] not in board.controls and counts[i] >= SHARE * max(counts)
    ]
    best = methods[:MOST]
    if "g3dvit" in methods and "g3dvit" not in best:
        best = [*best[:-1], "g3dvit"]
    return [*best, *(row for row in ("oracle", "random") if row in group.rows)]


def _panel(axes: Axes, curves: dict[str, Floats], style: dict[str, dict[str, object]]) -> None:
    for row, values in curves.items():
        wide = 2.0 if row in ("oracle", "random", "g3dvit") else 1.3
        axes.plot(GRID, values, lw=wide, **style[row])  # type: ignore[arg-type]
    axes.set_xscale("function", functions=(np.sqrt, np.square))
    axes.set_xticks([0, 0.01, 0.05, 0.2, 0.5, 1], ["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("share of the volume, most relevant first")
    axes.grid(axis="y", color=GREY, alpha=0.2, lw=0.6)
