"""Who is better than whom: ranks, whether they differ at all, and which pairs do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal

import numpy as np

from g3dvit_napari.benchmark.statistics.critical_difference import critical_difference
from g3dvit_napari.benchmark.statistics.friedman import Friedman, friedman, kendall_w
from g3dvit_napari.benchmark.statistics.ranking import ranks_within
from g3dvit_napari.benchmark.tables.board import UNRANKED, Board, Floats, Group, title_of
from g3dvit_napari.benchmark.tables.table import Cell, Table, p_value

ENOUGH = 5  # networks, to say anything about other networks
SHARE = 0.9  # of the volumes that a row must have to be ranked
Unit = Literal["networks", "volumes"]


@dataclass(frozen=True, eq=False)
class Ranked:
    """All rows ranked by one metric.

    rows
        Those with a value on most volumes.
    blocks
        (blocks, rows): mean ranks per network, or ranks per volume.
    unit
        What a block is. Volumes of one network are no evidence about another, so their tests speak
        of these networks only.
    left_out
        Rows that were judged on too few volumes to be ranked with the others.
    """

    column: str
    rows: tuple[str, ...]
    blocks: Floats
    unit: Unit
    test: Friedman
    left_out: tuple[str, ...]

    @property
    def difference(self) -> float:
        """Nemenyi's critical difference of mean ranks; NaN for fewer than two blocks or rows."""
        if len(self.blocks) < 2 or len(self.rows) < 2:
            return nan
        return critical_difference(len(self.rows), len(self.blocks))

    @property
    def mean_ranks(self) -> dict[str, float]:
        """By the name of a row, 1 being best."""
        return dict(zip(self.rows, self.test.mean_ranks, strict=True))


def ranked(board: Board, column: str, family: str = "vit") -> Ranked | None:
    """Rank all rows by one metric over all tasks; None where less than two can be ranked."""
    groups = [
        group
        for cell in board.cells(family)
        if (group := board.group(cell, column, family)) is not None
    ]
    chosen = _full(groups)
    if len(chosen) < 2:
        return None
    ranks = [
        ranks_within(sheet, group.higher)
        for group in groups
        for sheet in group.of_rows([group.rows.index(row) for row in chosen])
        if len(sheet)
    ]
    if not ranks:
        return None
    unit: Unit = "networks" if len(ranks) >= ENOUGH else "volumes"
    means = np.stack([sheet.mean(axis=0) for sheet in ranks])
    blocks = means if unit == "networks" else np.concatenate(ranks)
    every = {row for group in groups for row in group.rows}
    left_out = tuple(sorted(every - set(chosen)))
    return Ranked(column, tuple(chosen), blocks, unit, friedman(blocks, higher=False), left_out)


def _full(groups: Sequence[Group]) -> list[str]:
    """Return the rows that have a value on most volumes of every task."""
    if not groups:
        return []
    chosen = []
    for row in groups[0].rows:
        shares = []
        for group in groups:
            counts = [group.count(i) for i in range(len(group.rows))]
            own = counts[group.rows.index(row)] if row in group.rows else 0
            shares.append(own / max(max(counts), 1))
        if min(shares) >= SHARE:
            chosen.append(row)
    return chosen


def rank_table(every: Sequence[Ranked]) -> Table:
    """Return the mean ranks of all rows by all metrics, and their mean."""
    rows = sorted({row for one in every for row in one.rows})
    ranks = {row: [one.mean_ranks.get(row, nan) for one in every] for row in rows}
    shares = {  # 0 best, 1 worst, whatever the number of rows that were ranked
        row: [(r - 1) / (len(one.rows) - 1) for r, one in zip(ranks[row], every, strict=True)]
        for row in rows
    }
    mean = {row: _known_mean(shares[row]) for row in rows}
    order = sorted(rows, key=lambda row: mean[row])
    body: list[list[Cell]] = [
        [row, mean[row], *(round(rank, 2) if isfinite(rank) else nan for rank in ranks[row])]
        for row in order
    ]
    head = ["method", "place (0 best, 1 worst)", *(title_of(one.column) for one in every)]
    left = sorted({row for one in every for row in one.left_out})
    notes = [
        "Mean ranks, 1 is best; equal values share their mean rank. Metrics that a map of nothing "
        "or of everything wins rank nothing, nor do checks that a map must pass and that say no "
        "more: "
        f"{', '.join(sorted(UNRANKED))}."
    ]
    if left:
        notes.append(f"Judged on too few volumes to be ranked everywhere: {', '.join(left)}.")
    return Table("ranks", "Average ranks", head, body, notes)


def friedman_table(every: Sequence[Ranked]) -> Table:
    """Return Friedman's test, the critical difference and Kendall's W for every metric."""
    head = (
        "metric", "methods", "blocks", "block", "chi squared", "p", "F", "p of F",
        "critical difference", "Kendall's W",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for one in every:
        test = one.test
        agreement = kendall_w(one.blocks, higher=False) if len(one.blocks) > 1 else nan
        start: list[Cell] = [title_of(one.column), len(one.rows), test.blocks, one.unit]
        numbers: list[Cell] = [test.chi_squared, p_value(test.p_chi_squared)]
        numbers += [test.f, p_value(test.p_f), one.difference, agreement]
        rows.append([*start, *numbers])
    notes = [
        "Friedman's test with its correction for ties, Iman and Davenport's F, Nemenyi's critical "
        "difference at 0.05 (Demšar 2006), Kendall's W of the rankings of all blocks.",
        *_about_blocks(every),
        *_across_metrics(every),
    ]
    return Table("friedman", "Do the methods differ?", head, rows, notes)


def _about_blocks(every: Sequence[Ranked]) -> list[str]:
    if all(one.unit == "networks" for one in every):
        return []
    return [
        f"Fewer than {ENOUGH} networks: blocks are volumes, and tests speak of these networks "
        "only, not of other trainings."
    ]


def _across_metrics(every: Sequence[Ranked]) -> list[str]:
    """Say how far the metrics agree about the rows that all of them rank."""
    shared = set.intersection(*(set(one.rows) for one in every)) if every else set()
    if len(every) < 2 or len(shared) < 3:
        return []
    judges = np.array([[one.mean_ranks[row] for row in sorted(shared)] for one in every])
    w = kendall_w(judges, higher=False)
    return [
        f"Kendall's W of the {len(every)} metrics' rankings of {len(shared)} rows is {w:.2f}: "
        "1 would be full agreement, 0 none."
    ]


def _known_mean(values: Sequence[float]) -> float:
    known = [value for value in values if isfinite(value)]
    return sum(known) / len(known) if known else nan
