"""One metric over all tasks: does a method that is good at one stay good at the others?"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from g3dvit_napari.benchmark.tables.board import Board, title_of
from g3dvit_napari.benchmark.tables.scores import ARROWS, Summed, named, told
from g3dvit_napari.benchmark.tables.summary import Summary
from g3dvit_napari.benchmark.tables.table import Cell, Table, figure
from g3dvit_napari.core.score import Direction

LEADING = (
    "iou", "pointing_game level=patch", "relevance_mass", "auroc", "deletion substrate=twin",
    "insertion substrate=twin",
)  # fmt: skip


def overview_tables(sums: Summed, board: Board) -> list[Table]:
    """Return a table for each leading metric: rows by tasks; none where there is one task."""
    cells = board.cells()
    found = [_overview(sums, board, column) for column in LEADING] if len(cells) > 1 else []
    return [one for one in found if one.rows]


def _overview(sums: Summed, board: Board, column: str) -> Table:
    cells = [cell for cell in board.cells() if (cell, "vit", column) in sums]
    by_row: dict[str, dict[str, Summary]] = {}
    direction: Direction = next((sums[cell, "vit", column][0] for cell in cells), "none")
    for cell in cells:
        for one in sums[cell, "vit", column][1]:
            by_row.setdefault(one.row, {})[cell] = one
    shares = direction == "higher"
    means = {row: _mean(found, shares) for row, found in by_row.items() if len(found) == len(cells)}
    order = sorted(means, key=lambda row: -means[row] if shares else means[row])
    rows: list[list[Cell]] = [
        [
            named(row, row in board.controls),
            f"{100 * means[row]:.0f} %" if shares else figure(means[row]),
            *(told(by_row[row][cell]) for cell in cells),
        ]
        for row in order
    ]
    title = f"{title_of(column)}{ARROWS[direction]}"
    name = f"overview_{column.replace(' ', '_').replace('=', '-')}"
    over_all = "share of the ceiling, mean of tasks" if shares else "mean of tasks"
    networks = max((one.networks for found in by_row.values() for one in found.values()), default=0)
    note = (
        f"Mean over up to {networks} networks of each task (95 % interval of the hierarchical "
        "bootstrap) · as a share of the ceiling. Only rows that all tasks have."
    )
    return Table(name, f"{title}: all tasks", ("method", over_all, *cells), rows, [note])


def _mean(found: Mapping[str, Summary], shares: bool) -> float:
    values = [one.ceiling_ratio.mean if shares else one.value.mean for one in found.values()]
    known = [value for value in values if isfinite(value)]
    return sum(known) / len(known) if known else 0.0
