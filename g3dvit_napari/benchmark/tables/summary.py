"""One metric in one task, row by row: mean, interval, chance, ceiling, and on how much it rests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan

import numpy as np

from g3dvit_napari.benchmark.statistics.bootstrap import (
    DRAWS,
    Interval,
    between,
    resampled,
    seed_mean,
)
from g3dvit_napari.benchmark.tables.board import Floats, Group


@dataclass(frozen=True)
class Summary:
    """What a metric says of a row.

    value
        The mean over networks of the mean over volumes, with its 95 % interval.
    ceiling_ratio
        The mean as a share of the mean ceiling on the same volumes; NaN where lower is better, or
        no ceiling is known.
    volumes, networks
        On how many the row has a value.
    degenerate, undefined
        How many of its maps say nothing, or have no score of their own: they count at chance.
    """

    row: str
    value: Interval
    chance: float
    ceiling: float
    ceiling_ratio: Interval
    volumes: int
    networks: int
    degenerate: int
    undefined: int


def summaries(group: Group, draws: int = DRAWS) -> list[Summary]:
    """Return the summaries of all rows of a group."""
    count = len(group.rows)
    same = [
        np.where(np.isfinite(values), ceiling, nan)
        for values, ceiling in zip(group.values, group.ceiling, strict=True)
    ]
    joined = [
        np.concatenate([v, c], axis=1) for v, c in zip(group.values, same, strict=True)
    ]  # one set of draws, so that a score and its ceiling are drawn together
    means, drawn = seed_mean(joined), resampled(joined, draws)
    values = between(means[:count], drawn[:, :count])
    ratios = _ratios(group, means, drawn)
    chance = seed_mean(group.chance)
    return [
        Summary(
            row,
            values[i],
            float(chance[i]),
            float(means[count + i]),
            ratios[i],
            group.count(i),
            sum(bool(np.isfinite(v[:, i]).any()) for v in group.values),
            int(group.degenerate[i]),
            int(group.undefined[i]),
        )
        for i, row in enumerate(group.rows)
    ]


def by_row(columns: Mapping[str, Iterable[Summary]]) -> dict[str, dict[str, Summary]]:
    """Return the summaries of each row by column, where columns list them row by row."""
    found: dict[str, dict[str, Summary]] = {}
    for column, listed in columns.items():
        for one in listed:
            found.setdefault(one.row, {})[column] = one
    return found


def _ratios(group: Group, means: Floats, drawn: Floats) -> list[Interval]:
    count = len(group.rows)
    if group.direction != "higher":
        return [Interval(nan, nan, nan)] * count
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, draws = means[:count] / means[count:], drawn[:, :count] / drawn[:, count:]
    return between(np.where(np.isfinite(ratio), ratio, nan), draws)
