"""Ranks within blocks: 1 for the best, the mean rank for equal ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def ranks_within(values: Floats, higher: bool = True) -> Floats:
    """Return the ranks (blocks, methods) of values (blocks, methods), 1 for the best of a block.

    Parameters
    ----------
    values
        One row per block, such as a volume or a network; all finite.
    higher
        Whether a higher value is better.

    Raises
    ------
    ValueError
        When a value is missing: a block that lacks a method cannot be ranked.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError("ranks need a full table of blocks and methods; leave out what has gaps")
    return np.asarray(rankdata(-values if higher else values, axis=1), dtype=np.float64)


def tie_loss(ranks: Floats) -> float:
    """Return the sum of t³ - t over all groups of t equal ranks within a block."""
    total = 0.0
    for row in ranks:
        counts = np.unique(row, return_counts=True)[1].astype(np.float64)
        total += float((counts**3 - counts).sum())
    return total
