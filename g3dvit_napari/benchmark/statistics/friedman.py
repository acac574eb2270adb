"""Friedman's test: do the methods differ at all? (Friedman 1937; Demšar 2006, section 3.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan

import numpy as np
from scipy.stats import chi2, f

from g3dvit_napari.benchmark.statistics.ranking import Floats, ranks_within, tie_loss


@dataclass(frozen=True)
class Friedman:
    """Mean ranks and whether they differ more than chance would let them.

    mean_ranks
        One per method; 1 is best.
    chi_squared, p_chi_squared
        Friedman's statistic, corrected for ties.
    f, p_f
        Iman and Davenport's statistic, less conservative.
    blocks
        How many rows were ranked.
    """

    mean_ranks: tuple[float, ...]
    chi_squared: float
    p_chi_squared: float
    f: float
    p_f: float
    blocks: int


def friedman(values: Floats, higher: bool = True) -> Friedman:
    """Test whether the methods (columns) differ over the blocks (rows).

    NaN statistics where no test can be made: one block, one method, or all values tied.

    Source: Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 2006.
    """
    ranks = ranks_within(values, higher)
    blocks, methods = ranks.shape
    means = tuple(float(mean) for mean in ranks.mean(axis=0))
    if blocks < 2 or methods < 2:
        return Friedman(means, nan, nan, nan, nan, blocks)
    correction = 1 - tie_loss(ranks) / (blocks * (methods**3 - methods))
    if correction <= 0:
        return Friedman(means, nan, nan, nan, nan, blocks)
    statistic = chi_squared(means, blocks) / correction
    ratio = iman_davenport(statistic, blocks, methods)
    return Friedman(
        means,
        statistic,
        float(chi2.sf(statistic, methods - 1)),
        ratio,
        float(f.sf(ratio, methods - 1, (methods - 1) * (blocks - 1))),
        blocks,
    )


def chi_squared(mean_ranks: Sequence[float], blocks: int) -> float:
    """Return Friedman's statistic of mean ranks over so many blocks, without a tie correction."""
    methods = len(mean_ranks)
    spread = sum((rank - (methods + 1) / 2) ** 2 for rank in mean_ranks)
    return 12 * blocks / (methods * (methods + 1)) * spread


def iman_davenport(statistic: float, blocks: int, methods: int) -> float:
    """Return Iman and Davenport's F of Friedman's statistic; infinite for full agreement."""
    rest = blocks * (methods - 1) - statistic
    return (blocks - 1) * statistic / rest if rest > 1e-9 else inf


def kendall_w(values: Floats, higher: bool = True) -> float:
    """Return Kendall's W, how far the rows agree in their ranking: 0 not at all, 1 fully.

    Rows are judges, such as metrics or seeds; columns are what is ranked. W = χ² / (m (k - 1)),
    with Friedman's statistic corrected for ties. NaN for one row, or where all is tied.

    Source: Kendall & Babington Smith 1939.
    """
    found = friedman(values, higher)
    return float(found.chi_squared / (found.blocks * (np.shape(values)[1] - 1)))
