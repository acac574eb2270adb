"""The value that separates two groups best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 256


def otsu(values: NDArray[np.floating[Any]]) -> float | None:
    """Return Otsu's threshold (1979) of a list of values; None for constant ones.

    The centre of the last bin of the lower group, as in scikit-image.
    """
    low, high = float(values.min()), float(values.max())
    if not low < high:
        return None
    counts, edges = np.histogram(values, BINS, (low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * centres) / below
    mean_above = (np.cumsum((counts * centres)[::-1]) / above[::-1])[::-1]
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    return float(centres[np.argmax(between)])
