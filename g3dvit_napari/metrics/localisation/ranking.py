"""Places in falling order of their values, counted once for all metrics that rank.

Equal values stand together. Where a metric must cut through them, it takes what random tie-breaking
gives on average, so the order of the array never matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.evaluation import Compared, Evaluation, Level, Sign

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The distinct values of a map, largest first.

    taken
        (m) How many places have this value or a larger one; the last is all of them.
    hits
        (m) How many of these lie in the target.
    """

    taken: Counts
    hits: Counts

    @property
    def count(self) -> int:
        """All places that count."""
        return int(self.taken[-1])

    @property
    def target(self) -> int:
        """All places in the target."""
        return int(self.hits[-1])

    @property
    def base_rate(self) -> float:
        """The share of the places that lies in the target."""
        return self.target / self.count

    @property
    def groups(self) -> tuple[Counts, Counts]:
        """Places, and those in the target, that have exactly each value (m)."""
        return np.diff(self.taken, prepend=0), np.diff(self.hits, prepend=0)

    def group_of(self, place: int) -> int:
        """Return the number of the value at one place in the order, counted from one."""
        return int(np.searchsorted(self.taken, place))

    def expected_hits(self, top: int) -> float:
        """Return how many of the `top` largest lie in the target, on average over ties."""
        group = self.group_of(top)
        places, inside = (int(each[group]) for each in self.groups)
        taken, hits = int(self.taken[group]) - places, int(self.hits[group]) - inside
        return hits + inside * (top - taken) / places


def ranking_of(evaluation: Evaluation, level: Level, sign: Sign) -> Ranking:
    """Return the order of a map's places against the truth, computed once for a map."""
    key = ("ranking", level, sign)
    return evaluation.once(key, lambda: ranked(evaluation.compared(level, sign)))


def ranked(compared: Compared) -> Ranking:
    """Return the order of values against a target."""
    order = np.argsort(compared.values)[::-1]
    values = compared.values[order]
    last = np.append(np.flatnonzero(np.diff(values)), values.size - 1)
    hits = np.cumsum(compared.target[order])
    return Ranking(last.astype(np.int64) + 1, hits[last].astype(np.int64))


def top_count(count: int, percent: float) -> int:
    """Return how many places so many per cent of all are, one at least."""
    return max(1, round(count * percent / 100))
