"""How far the maps agree with those of a 3D ResNet on the same volumes; agreement, not truth."""

from __future__ import annotations

from g3dvit_napari.benchmark.tables.board import Board
from g3dvit_napari.benchmark.tables.summary import summaries
from g3dvit_napari.benchmark.tables.table import Cell, Table

HEAD = (
    "task", "method", "compared with", "figure", "mean", "low", "high", "chance", "volumes",
    "networks", "undefined",
)  # fmt: skip


def agreement_table(board: Board) -> Table:
    """Return rank correlation, and overlap of the strongest 5 % with its chance, per method."""
    rows: list[list[Cell]] = []
    for cell in board.cells():
        for column in board.columns(agreement=True):
            group = board.group(cell, column)
            if group is None:
                continue
            other, figure = column.split(maxsplit=1)[1].rsplit(maxsplit=1)
            for one in summaries(group):
                value = one.value
                start: list[Cell] = [cell, one.row, other, figure]
                numbers: list[Cell] = [value.mean, value.low, value.high, one.chance]
                rows.append([*start, *numbers, one.volumes, one.networks, one.undefined])
    notes = [
        "Spearman's correlation of all places, and Dice of the strongest 5 %. Two networks may "
        "rightly use different evidence: agreement is no truth, and ranks nothing.",
    ]
    return Table("agreement", "Agreement with a network of another kind", HEAD, rows, notes)
