"""The local maxima of one cluster, as nilearn's `get_clusters_table` finds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Index = tuple[int, int, int]
Sizes = NDArray[np.floating[Any]]


def peaks_of(sizes: Sizes, linear: NDArray[Any], min_distance_mm: float) -> list[Index]:
    """Return the maxima of a cluster, the highest first, each far enough from all before it.

    Parameters
    ----------
    sizes
        The cluster's values in a box (x y z), 0 beside it.
    linear
        3 x 3, from steps of voxels to millimetres.
    min_distance_mm
        A peak no farther than this from a higher one is left out.
    """
    labels, count = ndimage.label(_maxima(sizes))
    centres = _centres(sizes, labels, count)
    heights = sizes[tuple(centres.T)]
    order = np.argsort(-heights, kind="stable")
    kept: list[int] = []
    places = centres @ linear.T
    for one in order:
        apart = np.linalg.norm(places[kept] - places[one], axis=1)
        if (apart > min_distance_mm).all():
            kept.append(int(one))
    return [(int(x), int(y), int(z)) for x, y, z in centres[kept]]


def _maxima(sizes: Sizes) -> NDArray[np.bool_]:
    """Return where no neighbour is larger; not inside a plateau, unless all is one plateau."""
    highest = ndimage.maximum_filter(sizes, 3)
    found: NDArray[np.bool_] = (sizes == highest) & (sizes != 0)
    inside = sizes[sizes != 0]
    if not np.isclose(inside.max(), inside.min()):
        found &= highest > ndimage.minimum_filter(sizes, 3)
    return found


def _centres(sizes: Sizes, labels: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Return the centre of mass of every maximum, or the voxel of it that is nearest to that."""
    numbers = np.arange(1, count + 1)
    centres = np.rint(ndimage.center_of_mass(sizes, labels, numbers)).astype(np.intp)
    outside = labels[tuple(centres.T)] != numbers
    for row in np.flatnonzero(outside):
        voxels = np.argwhere(labels == row + 1)
        nearest = np.argmin(np.linalg.norm(voxels - centres[row], axis=1))
        centres[row] = voxels[nearest]
    return centres
