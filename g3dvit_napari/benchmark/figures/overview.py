"""All methods by all tasks in one look: the share of the ceiling as numbers on shades."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from g3dvit_napari.benchmark.figures.style import GREY, INK, PUBLISHED, drawing, words
from g3dvit_napari.benchmark.tables.board import Board, title_of
from g3dvit_napari.benchmark.tables.overview import Overview

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DARK = 0.55  # shades above it carry white numbers


@contextmanager
def overview_figure(one: Overview, board: Board) -> Iterator[Figure]:
    """Draw rows by tasks, the best mean at the top; shades end at the ceiling."""
    rows = [row for row in one.rows if row != "oracle"]
    shares = np.array([[one.rows[row][c].ceiling_ratio.mean for c in one.cells] for row in rows])
    means = np.array([[one.means[row]] for row in rows])
    sheet = np.hstack([means, shares])
    with drawing(2.2 + 0.85 * sheet.shape[1], 1.2 + 0.17 * len(rows)) as figure:
        axes = figure.subplots()
        axes.imshow(np.clip(sheet, 0, 1), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (y, x), share in np.ndenumerate(sheet):
            colour = "white" if share > DARK else INK
            weight = "bold" if x == 0 else "normal"
            axes.text(
                x, y, f"{100 * share:.0f}", color=colour, ha="center", va="center", weight=weight
            )
        axes.axvline(0.5, color="white", lw=4)
        axes.set_yticks(range(len(rows)), [words(row) for row in rows])
        for label, row in zip(axes.get_yticklabels(), rows, strict=True):
            control = row in board.controls
            label.set_color(GREY if control else PUBLISHED if row == "g3dvit" else INK)
        axes.set_xticks(range(sheet.shape[1]), ["mean", *one.cells], rotation=30, ha="left")
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        title = f"{title_of(one.column)}, % of what a perfect map of patches gets"
        figure.suptitle(title, fontsize=10, x=0.01, ha="left")
        yield figure
