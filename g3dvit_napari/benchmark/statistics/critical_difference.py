"""Nemenyi's critical difference of mean ranks, and who cannot be told apart (Demšar 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import inf, sqrt

from scipy.stats import studentized_range


@lru_cache
def critical_difference(methods: int, blocks: int, alpha: float = 0.05) -> float:
    """Return by how much two mean ranks must differ: q sqrt(k (k + 1) / (6 N)).

    q is the studentised range with infinite degrees of freedom, over the root of two; Demšar 2006,
    table 5.
    """
    q = float(studentized_range.ppf(1 - alpha, methods, inf)) / sqrt(2)
    return q * sqrt(methods * (methods + 1) / (6 * blocks))


def cliques(mean_ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """Return the largest groups of methods whose mean ranks differ by less than a difference.

    Each group is (first, last), places in the order of rising rank; only groups of two or more.
    """
    order = sorted(mean_ranks)
    found: list[tuple[int, int]] = []
    for first, low in enumerate(order):
        last = max(i for i, rank in enumerate(order) if rank - low < difference or i == first)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
