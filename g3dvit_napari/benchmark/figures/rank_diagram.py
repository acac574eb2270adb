"""The critical-difference diagram (Demšar 2006): mean ranks, and who cannot be told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from math import ceil, floor
from typing import TYPE_CHECKING

from g3dvit_napari.benchmark.figures.style import GREY, INK, PUBLISHED, drawing, words
from g3dvit_napari.benchmark.statistics.critical_difference import cliques
from g3dvit_napari.benchmark.tables.board import title_of
from g3dvit_napari.benchmark.tables.ranks import Ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, LINE, BAR = 7.6, 0.2, 0.09  # inches: of all, per name, per bar


@contextmanager
def rank_diagram(one: Ranked, controls: Collection[str]) -> Iterator[Figure]:
    """Draw the diagram of one metric; best on the left, controls in grey."""
    ranks = sorted(one.mean_ranks.items(), key=lambda item: item[1])
    values = [rank for _, rank in ranks]
    bars = cliques(values, one.difference)
    lines = ceil(len(ranks) / 2)
    height = 1.25 + BAR * len(bars) + LINE * lines

    with drawing(WIDTH, height, layout=None) as figure:
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        _scale(axes, one, height)
        low = -0.12 - BAR * len(bars)
        for number, (first, last) in enumerate(bars):
            y = -0.12 - BAR * number
            axes.plot([values[first], values[last]], [y, y], color=PUBLISHED, lw=2.4)
        for place, (row, _) in enumerate(ranks):
            _name(axes, ranks, place, low, INK if row not in controls else GREY)
        yield figure


def _scale(axes: Axes, one: Ranked, height: float) -> None:
    """Draw the axis of ranks, and the critical difference above it; y is in inches."""
    count = len(one.rows)
    side = 0.75 + 0.066 * max(len(words(row)) for row in one.rows)  # inches for names
    reach = side / (WIDTH - 2 * side) * (count - 1)
    axes.set_xlim(1 - 1.02 * reach, count + 1.02 * reach)
    axes.set_ylim(0.95 - height, 0.95)
    axes.axis("off")
    axes.plot([1, count], [0, 0], color=INK, lw=1.0)
    step = max(1, round((count - 1) / 10))
    for rank in range(1, floor(count) + 1, step):
        axes.plot([rank, rank], [0, 0.06], color=INK, lw=1.0)
        axes.text(rank, 0.09, str(rank), ha="center", va="bottom", fontsize=8)
    width = one.difference
    axes.text(1 - reach, 0.87, title_of(one.column), weight="bold", va="top", fontsize=9.5)
    about = f"{len(one.blocks)} {one.unit}, Friedman p {_p(one.test.p_f)}"
    axes.text(1 - reach, 0.68, about, va="top", fontsize=8, color=GREY)
    if width <= count - 1:
        axes.plot([1, 1 + width], [0.36, 0.36], color=PUBLISHED, lw=2.4)
        label = f"critical difference {width:.2f}"
        axes.text(1 + width / 2, 0.4, label, ha="center", va="bottom", fontsize=8)
    else:
        words_ = f"critical difference {width:.1f}: wider than all ranks, nothing can be told apart"
        axes.text((1 + count) / 2, 0.36, words_, ha="center", va="bottom", fontsize=8)


def _name(
    axes: Axes, ranks: Sequence[tuple[str, float]], place: int, low: float, colour: str
) -> None:
    """Draw the name of a row, the better half on the left, and the line to its rank."""
    row, rank = ranks[place]
    left = place < ceil(len(ranks) / 2)
    line = place if left else len(ranks) - 1 - place
    y = low - 0.12 - LINE * line
    count = len(ranks)
    x = 1 - 0.03 * (count - 1) if left else count + 0.03 * (count - 1)
    axes.plot([rank, rank, x], [0, y, y], color=colour, lw=0.7, solid_joinstyle="miter")
    text = f"{words(row)}  {rank:.1f}" if left else f"{rank:.1f}  {words(row)}"
    shift = -0.01 if left else 0.01
    side = "right" if left else "left"
    axes.text(x + shift * count, y, text, ha=side, va="center", color=colour, fontsize=8)


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
