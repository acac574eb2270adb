"""How alike two maps of the same cells are, and how alike chance makes them."""

from __future__ import annotations

from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from g3dvit_napari.core.evaluation import Evaluation, Sign

Floats = NDArray[np.float64]
Similarity = Literal["spearman", "ssim", "overlap"]
STRONGEST = 0.05  # the share of the places that "overlap" compares
WINDOW = 7  # of ssim; less where the map is smaller
CONTROLS = 100
LEVEL = 95.0  # per cent of the controls that are less alike than the level of chance


def likeness(kind: Similarity, first: Floats, second: Floats) -> float:
    """Return how alike two maps (f h w) are: 1 for equal ones; NaN where it cannot be said.

    "spearman": rank correlation, 0 where one of them is constant. "ssim": structural similarity in
    three dimensions, each map on its own range. "overlap": the common part of the strongest 5 %,
    expected where ties leave open which these are.
    """
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("nan")
    measures = {"spearman": spearman, "ssim": ssim, "overlap": overlap}
    return measures[kind](first, second)


def on_patches(evaluation: Evaluation, sign: Sign) -> Floats:
    """Return a map on the network's patches (f h w), its sign taken on the map's own cells."""
    return evaluation.with_sign(sign).patches


def spearman(first: Floats, second: Floats) -> float:
    """Return Spearman's rank correlation; equal values share their mean rank."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    ranks = stats.rankdata(first.ravel()), stats.rankdata(second.ravel())
    return float(np.corrcoef(*ranks)[0, 1])


def overlap(first: Floats, second: Floats) -> float:
    """Return the share of the strongest 5 % that two maps have in common.

    Of values tied at the edge each belongs to them with the same probability. The expected common
    part is divided by the larger one of both maps with themselves, so that equal maps get 1; a
    constant map gets 5 % with any other.
    """
    one, two = _belonging(first.ravel()), _belonging(second.ravel())
    return float(one @ two / max(one @ one, two @ two))


def _belonging(values: Floats) -> Floats:
    """Return the probability (n) of each place to be among the strongest."""
    count = ceil(STRONGEST * values.size - 1e-9)
    edge = np.partition(values, values.size - count)[values.size - count]
    above, at = values > edge, values == edge
    found: Floats = above + at * ((count - above.sum()) / at.sum())
    return found


def ssim(first: Floats, second: Floats) -> float:
    """Return the mean structural similarity (Wang et al. 2004) of two maps (f h w).

    In cubes of 7 cells a side, or the largest odd number that fits, wholly inside the map. NaN for
    maps of less than 3 cells along an axis.
    """
    side = min(WINDOW, *((n - 1) // 2 * 2 + 1 for n in first.shape))
    if side < 3:
        return float("nan")
    x, y = _on_own_range(first), _on_own_range(second)
    mean_x, mean_y = (ndimage.uniform_filter(v, side) for v in (x, y))
    unbiased = side**3 / (side**3 - 1)
    var_x, var_y, covariance = (
        unbiased * (ndimage.uniform_filter(a * b, side) - mean_a * mean_b)
        for a, b, mean_a, mean_b in (
            (x, x, mean_x, mean_x),
            (y, y, mean_y, mean_y),
            (x, y, mean_x, mean_y),
        )
    )
    c1, c2 = 0.01**2, 0.03**2
    means = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    local = means * (2 * covariance + c2) / (var_x + var_y + c2)
    inner = slice(side // 2, -(side // 2))
    return float(local[inner, inner, inner].mean())


def _on_own_range(values: Floats) -> Floats:
    low, span = values.min(), np.ptp(values)
    return (values - low) / span if span > 0 else np.zeros_like(values)


def likeness_of_controls(kind: Similarity, values: Floats, seed: int) -> Floats:
    """Return how alike a map is to 100 control maps: itself with its places shuffled."""
    random = np.random.default_rng(seed)
    controls = (random.permuted(values.ravel()).reshape(values.shape) for _ in range(CONTROLS))
    return np.array([likeness(kind, values, one) for one in controls])


def level_of_chance(controls: Floats) -> float:
    """Return what 95 of 100 control maps stay below."""
    return float(np.percentile(controls, LEVEL))
