"""One metric over all tasks: does a method that is good at one stay good at the others?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from g3dvit_napari.benchmark.tables.board import Board, title_of
from g3dvit_napari.benchmark.tables.scores import ARROWS, Summed, named, told
from g3dvit_napari.benchmark.tables.summary import Summary, by_row
from g3dvit_napari.benchmark.tables.table import Cell, Table, figure
from g3dvit_napari.core.score import Direction

LEADING = (
    "iou", "pointing_game level=patch", "relevance_mass", "auroc", "deletion substrate=twin",
    "insertion substrate=twin",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Overview:
    """What a metric says in all tasks.

    rows
        By the name of a row, per task; only rows that all tasks have, the best mean first.
    means
        Of a row, over the tasks: the share of the ceiling, or the score where lower is better.
    """

    column: str
    direction: Direction
    cells: Sequence[str]
    rows: Mapping[str, Mapping[str, Summary]]
    means: Mapping[str, float]


def overview(sums: Summed, board: Board, column: str) -> Overview | None:
    """Return what a metric says in all tasks; None where less than two have it."""
    cells = [cell for cell in board.cells() if (cell, "vit", column) in sums]
    if len(cells) < 2:
        return None
    direction = sums[cells[0], "vit", column][0]
    every = by_row({cell: sums[cell, "vit", column][1] for cell in cells})
    higher = direction == "higher"
    means = {row: _mean(found, higher) for row, found in every.items() if len(found) == len(cells)}
    known = {row: mean for row, mean in means.items() if isfinite(mean)}
    order = sorted(known, key=lambda row: known[row], reverse=higher)
    rows = {row: every[row] for row in order}
    return Overview(column, direction, cells, rows, {row: known[row] for row in order})


def overview_tables(sums: Summed, board: Board) -> list[Table]:
    """Return a table for each leading metric: rows by tasks; none where there is one task."""
    found = [overview(sums, board, column) for column in LEADING]
    return [_table(one, board) for one in found if one is not None and one.rows]


def _table(one: Overview, board: Board) -> Table:
    higher = one.direction == "higher"
    rows: list[list[Cell]] = [
        [
            named(row, row in board.controls),
            f"{100 * one.means[row]:.0f} %" if higher else figure(one.means[row]),
            *(told(found[cell]) for cell in one.cells),
        ]
        for row, found in one.rows.items()
    ]
    over_all = "share of the ceiling, mean of tasks" if higher else "mean of tasks"
    every = [summary for found in one.rows.values() for summary in found.values()]
    note = (
        f"Mean over up to {max(summary.networks for summary in every)} networks of each task (95 % "
        "interval of the hierarchical bootstrap) · as a share of the ceiling. Only rows that all "
        "tasks have."
    )
    title = f"{title_of(one.column)}{ARROWS[one.direction]}: all tasks"
    name = f"overview_{one.column.replace(' ', '_').replace('=', '-')}"
    return Table(name, title, ("method", over_all, *one.cells), rows, [note])


def _mean(found: Mapping[str, Summary], higher: bool) -> float:
    values = [one.ceiling_ratio.mean if higher else one.value.mean for one in found.values()]
    return sum(values) / len(values)
