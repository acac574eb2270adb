"""Which voxels of a volume belong to the head, so that air does not decide about a threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.core.otsu import otsu

Mask = NDArray[np.bool_]
CLEARED = 0.9  # of the border voxels hold one value: the surroundings were set to it


def head_mask(data: NDArray[Any]) -> Mask:
    """Return a mask (x y z) of the largest connected object, holes filled.

    Where the surroundings were cleared, as in a skull-stripped volume, all that differs from their
    value is the object; otherwise what lies above Otsu's threshold. All voxels belong to it where
    no object stands out.
    """
    values = np.nan_to_num(np.asarray(data, dtype=np.float32))
    border, share = _border_value(values)
    if share >= CLEARED:
        found = values != border
    else:
        cut = otsu(values.ravel())
        found = np.zeros(values.shape, bool) if cut is None else values > cut
    if not found.any():
        return np.ones(values.shape, dtype=bool)
    labels, count = ndimage.label(found)
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        found = labels == sizes.argmax()
    filled: Mask = ndimage.binary_fill_holes(found)
    return filled


def _border_value(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the most frequent value on the six faces, and its share of them."""
    faces = [values.take(end, axis).ravel() for axis in range(3) for end in (0, -1)]
    found, counts = np.unique(np.concatenate(faces), return_counts=True)
    return float(found[counts.argmax()]), float(counts.max() / counts.sum())
