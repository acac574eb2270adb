"""Two methods on the same places: Wilcoxon's signed-rank test, McNemar's test, effect sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm, rankdata

EXACT = 50  # pairs


@dataclass(frozen=True)
class Paired:
    """How two methods differ, the first minus the second.

    p
        Of a two-sided test; NaN where no pair differs.
    rank_biserial
        Matched: -1 to 1, the share of the ranks that favours the first less that of the second.
    median
        Of the differences.
    pairs, different
        How many were compared, and how many of them differ.
    """

    p: float
    rank_biserial: float
    median: float
    pairs: int
    different: int


def signed_rank(first: ArrayLike, second: ArrayLike) -> Paired:
    """Compare two methods by Wilcoxon's signed-rank test; pairs without a difference are dropped.

    Exact for up to 50 different pairs, also with ties; else the normal approximation with the
    variance that ties leave. Rank-biserial after Kerby 2014: (R+ - R-) / (R+ + R-).

    Raises
    ------
    ValueError
        When the two are not equally long.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape:
        raise ValueError(f"pairs need two of a length, got {one.shape} and {two.shape}")
    both = np.isfinite(one) & np.isfinite(two)
    difference = np.round(one[both] - two[both], 12)  # rounding noise would break ties
    different = difference[difference != 0]
    median = float(np.median(difference)) if difference.size else nan
    if not different.size:
        return Paired(nan, nan, median, difference.size, 0)
    ranks = rankdata(np.abs(different))
    effect = float((ranks * np.sign(different)).sum() / ranks.sum())
    p = _signed_rank_p(ranks, float(ranks[different > 0].sum()))
    return Paired(p, effect, median, difference.size, different.size)


def _signed_rank_p(ranks: NDArray[np.float64], plus: float) -> float:
    """Return the two-sided p of a sum of positive ranks when every sign is a fair coin."""
    off = abs(plus - ranks.sum() / 2)
    if len(ranks) > EXACT:
        return float(2 * norm.sf(off / (0.5 * np.sqrt((ranks**2).sum()))))
    doubled = np.rint(2 * ranks).astype(np.int64)  # mean ranks of ties are halves
    chance = np.zeros(doubled.sum() + 1)
    chance[0] = 1.0
    for rank in doubled:
        chance = 0.5 * chance
        chance[rank:] += chance[:-rank].copy()
    far = np.abs(np.arange(len(chance)) / 2 - ranks.sum() / 2) >= off - 1e-9
    return float(min(chance[far].sum(), 1.0))


def mcnemar(first: Sequence[bool] | NDArray[Any], second: Sequence[bool] | NDArray[Any]) -> float:
    """Return the exact two-sided p of McNemar's test: do two methods hit equally often?

    Only where one hits and the other does not is anything learned; a fair coin would split these.
    1 where there is no such place. Source: McNemar 1947, binomial form.
    """
    one, two = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    alone, other = int((one & ~two).sum()), int((two & ~one).sum())
    return float(binomtest(alone, alone + other).pvalue) if alone + other else 1.0


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p values adjusted for their number, step by step (Holm 1979).

    The smallest times m, the next times m - 1 and so on, never falling, at most 1. NaN stay, and do
    not count: nothing was tested there.
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, nan)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    steps = values[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted
