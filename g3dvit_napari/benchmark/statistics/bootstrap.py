"""Intervals that know what is nested: networks are drawn anew, then volumes within each.

Volumes of one network are not independent evidence about the method: another seed of the training
may give another ranking. So both are resampled, and all methods with the same draws, which makes
differences of methods paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS = 2000


@dataclass(frozen=True)
class Interval:
    """A mean and where it lies in 95 of 100 resamplings."""

    mean: float
    low: float
    high: float


def seed_mean(groups: Sequence[Floats]) -> Floats:
    """Return the mean (methods) over networks of each network's mean over volumes.

    Every network counts the same, however many volumes it has. NaN do not count.

    Parameters
    ----------
    groups
        Per network (volumes, methods).
    """
    return _mean(np.stack([_mean(group) for group in groups]))


def resampled(groups: Sequence[Floats], draws: int = DRAWS, seed: int = 0) -> Floats:
    """Return the mean of `seed_mean` in every draw (draws, methods).

    Networks are drawn with replacement, then volumes of each drawn network; a network that is
    drawn twice gets two draws of volumes. All methods share the draws.
    """
    rng = np.random.default_rng(seed)
    count = len(groups)
    chosen = rng.integers(count, size=(draws, count))
    means = np.full((draws, count, groups[0].shape[1]), np.nan)
    for number, group in enumerate(groups):
        places = np.argwhere(chosen == number)
        even = np.full(len(group), 1 / len(group)) if len(group) else np.zeros(0)
        weights = rng.multinomial(len(group), even, size=len(places)).astype(np.float64)
        known = np.isfinite(group)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (weights @ np.where(known, group, 0.0)) / (weights @ known)
        means[places[:, 0], places[:, 1]] = found
    return _mean(means.swapaxes(0, 1))


def intervals(groups: Sequence[Floats], draws: int = DRAWS, seed: int = 0) -> list[Interval]:
    """Return mean and 95 % percentile interval of every method (columns of the groups)."""
    return between(seed_mean(groups), resampled(groups, draws, seed))


def differences(
    groups: Sequence[Floats], first: int, second: int, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Return the mean paired difference of two columns, with its interval.

    Only volumes with both count.
    """
    paired = [(group[:, first] - group[:, second])[:, None] for group in groups]
    return intervals(paired, draws, seed)[0]


def between(means: Floats, draws: Floats) -> list[Interval]:
    """Return the intervals (methods) between the 2.5 and 97.5 percentiles of draws."""
    known = np.isfinite(draws).any(axis=0)
    ends = np.full((2, len(means)), np.nan)
    if known.any():
        ends[:, known] = np.nanquantile(draws[:, known], [0.025, 0.975], axis=0)
    return [Interval(float(m), float(a), float(b)) for m, a, b in zip(means, *ends, strict=True)]


def _mean(values: Floats) -> Floats:
    """Return the mean over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0))
