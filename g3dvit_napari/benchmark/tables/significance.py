"""All pairs of methods by one metric: tests after Holm, and how large the difference is.

Pairs are networks (their means) where there are enough of them, else volumes: the mean over the
networks of a task where several were shown the same volume.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from g3dvit_napari.benchmark.statistics.bootstrap import Interval, between, resampled, seed_mean
from g3dvit_napari.benchmark.statistics.paired import Paired, holm, mcnemar, signed_rank
from g3dvit_napari.benchmark.tables.board import Board, Floats, Group, title_of
from g3dvit_napari.benchmark.tables.ranks import ENOUGH, Ranked
from g3dvit_napari.benchmark.tables.table import Cell, Table, p_value

COLUMNS = (
    "metric", "method", "other", "mean difference", "low", "high", "median difference",
    "rank-biserial", "p", "p (Holm)", "pairs", "pair", "p (McNemar)",
)  # fmt: skip
SHOWN = 40
NAMED = 8  # methods in one cell
ALPHA = 0.05
NOISE = "random"  # the control that knows nothing


@dataclass(frozen=True)
class Difference:
    """How two rows differ by one metric, the first minus the second."""

    column: str
    first: str
    second: str
    mean: Interval
    test: Paired
    unit: str
    mcnemar: float | None = None
    adjusted: float = float("nan")


def significance_table(pairs: Mapping[str, Sequence[Difference]]) -> Table:
    """Return all pairs of all ranked metrics; of each, those with the smallest p come first."""
    rows: list[list[Cell]] = []
    for found in pairs.values():
        key = [one.adjusted if isfinite(one.adjusted) else 2.0 for one in found]
        rows += [_row(found[place]) for place in np.argsort(key, kind="stable")]
    notes = [
        "Wilcoxon's signed-rank test on paired values, two-sided; p after Holm over all pairs of a "
        "metric; rank-biserial: matched, 1 where the first always wins. Intervals of the mean "
        "difference: hierarchical bootstrap, paired. McNemar's exact test where all values are 0 "
        "or 1; it has no correction.",
    ]
    title = "Which pairs differ?"
    return Table("significance", title, COLUMNS, rows, notes, shown=SHOWN)


def verdict_table(
    pairs: Mapping[str, Sequence[Difference]], every: Sequence[Ranked], controls: Collection[str]
) -> Table:
    """Return for every metric the best method, who cannot be told from it, and who from noise."""
    rows: list[list[Cell]] = []
    for one in every:
        methods = [row for row in one.rows if row not in controls]
        if not methods:
            continue
        best = min(methods, key=lambda row: one.mean_ranks[row])
        same = {frozenset((p.first, p.second)) for p in pairs[one.column] if not p.adjusted < ALPHA}
        near = [row for row in methods if frozenset((best, row)) in same]
        ranks = one.mean_ranks
        lost = [
            row
            for row in methods
            if NOISE in ranks and (frozenset((NOISE, row)) in same or ranks[row] > ranks[NOISE])
        ]
        words = [_listed(names, len(methods)) for names in (near, lost)]
        rows.append([title_of(one.column), best, *words, len(methods), len(one.blocks)])
    notes = [
        "Best: by mean rank. Not told from it, or not better than random maps: p of Wilcoxon's "
        f"signed-rank test after Holm over all pairs of the metric at least {ALPHA}. Where few "
        "blocks are compared, much cannot be told apart: that is no equality.",
        *_too_few(every),
    ]
    head = (
        "metric", "best method", "not told from it", "not better than random", "methods", "blocks",
    )  # fmt: skip
    return Table("verdicts", "Who is best, and who is not", head, rows, notes)


def _listed(names: Sequence[str], of: int) -> str:
    """Return names, or how many they are when there are too many to read."""
    if len(names) > NAMED:
        return f"{len(names)} of {of}"
    return ", ".join(names) or "\N{EN DASH}"


def _too_few(every: Sequence[Ranked]) -> list[str]:
    """Say where no pair could have passed: the smallest p of n pairs is 2 / 2ⁿ."""
    names = [
        title_of(one.column)
        for one in every
        if len(one.rows) * (len(one.rows) - 1) * 2.0 ** -len(one.blocks) >= ALPHA
    ]
    if not names:
        return []
    return [
        "With so few blocks and so many pairs no difference, however clear, can pass this test: "
        f"{'; '.join(names)}. See the intervals instead."
    ]


def differences_of(board: Board, one: Ranked, family: str = "vit") -> list[Difference]:
    """Return how all pairs of ranked rows differ."""
    groups = [
        group
        for cell in board.cells(family)
        if (group := board.group(cell, one.column, family)) is not None
    ]
    places = [[group.rows.index(row) for row in one.rows] for group in groups]
    sheets = [group.of_rows(at) for group, at in zip(groups, places, strict=True)]
    pairs, unit = paired_values(groups, places)
    means, draws = _means_and_draws(sheets)
    binary = bool(np.isin(pairs, (0.0, 1.0)).all())
    first, second = np.triu_indices(len(one.rows), 1)
    intervals = between(means[first] - means[second], draws[:, first] - draws[:, second])
    found = []
    for i, j, interval in zip(first, second, intervals, strict=True):
        test = signed_rank(pairs[:, i], pairs[:, j])
        hits = mcnemar(pairs[:, i] > 0, pairs[:, j] > 0) if binary else None
        rows = one.rows[i], one.rows[j]
        found.append(Difference(one.column, *rows, interval, test, unit, hits))
    adjusted = holm([each.test.p for each in found])
    return [replace(each, adjusted=float(p)) for each, p in zip(found, adjusted, strict=True)]


def paired_values(groups: Sequence[Group], places: Sequence[Sequence[int]]) -> tuple[Floats, str]:
    """Return the values (pairs, rows) that tests compare, and what a pair is."""
    sheets = [
        sheet for group, at in zip(groups, places, strict=True) for sheet in group.of_rows(at)
    ]
    full = [sheet for sheet in sheets if len(sheet)]
    if len(full) >= ENOUGH:
        return np.stack([sheet.mean(axis=0) for sheet in full]), "networks"
    values: dict[tuple[str, str], list[Floats]] = defaultdict(list)
    for group, at in zip(groups, places, strict=True):
        for names, sheet in zip(group.samples, group.values, strict=True):
            for name, line in zip(names, sheet[:, list(at)], strict=True):
                if np.isfinite(line).all():
                    values[group.cell, name].append(line)
    means = [np.mean(lines, axis=0) for lines in values.values()]
    return np.stack(means), "volumes"


def _means_and_draws(sheets: Sequence[tuple[Floats, ...]]) -> tuple[Floats, Floats]:
    """Return mean (rows) and draws (draws, rows); every task counts the same."""
    full = [[sheet for sheet in of_cell if len(sheet)] for of_cell in sheets]
    full = [of_cell for of_cell in full if of_cell]
    means = np.mean([seed_mean(of_cell) for of_cell in full], axis=0)
    draws = np.mean([resampled(c, seed=n) for n, c in enumerate(full)], axis=0)
    return means, draws


def _row(one: Difference) -> list[Cell]:
    mean, test = one.mean, one.test
    hits = None if one.mcnemar is None else p_value(one.mcnemar)
    return [
        title_of(one.column), one.first, one.second, mean.mean, mean.low, mean.high, test.median,
        test.rank_biserial, p_value(test.p), p_value(one.adjusted), test.pairs, one.unit, hits,
    ]  # fmt: skip
