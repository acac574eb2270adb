"""Outlines of what lies above a level in a plane: smooth, or along the borders of blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

Array = NDArray[Any]
Lines = NDArray[np.floating[Any]]  # (n, 2, 2): start and end of each piece, in array indices


def smooth_outline(plane: Array, level: float) -> Lines:
    """Return where a plane, interpolated linearly between its values, crosses the level.

    Outside the plane is nothing: what reaches its border is closed along it.
    """
    padded = np.pad(plane.astype(np.float64), 1)
    last = np.array(plane.shape) - 0.5
    pieces = [np.empty((0, 2, 2))]
    for path in find_contours(padded, level):
        path = np.clip(path - 1, -0.5, last)
        pieces.append(np.stack([path[:-1], path[1:]], axis=1))
    return np.concatenate(pieces)


def block_outline(above: NDArray[np.bool_]) -> Lines:
    """Return the borders between cells that are above and cells that are not."""
    padded = np.pad(above, 1)
    pieces = []
    for axis in (0, 1):
        border = np.argwhere(np.diff(padded, axis=axis)) - 1.0
        start, end = border.copy(), border.copy()
        start[:, axis] += 0.5
        end[:, axis] += 0.5
        start[:, 1 - axis] -= 0.5
        end[:, 1 - axis] += 0.5
        pieces.append(np.stack([start, end], axis=1))
    return np.concatenate(pieces)
