"""Positions along the axes of a grid, and arrays sampled at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.core import space
from g3dvit_napari.core.cells import Triple

Array = NDArray[Any]


@dataclass(frozen=True)
class Line:
    """The cells along one axis."""

    count: int
    size: float
    first: float

    def of_voxels(self, voxels: Array) -> Array:
        """Convert positions in voxels of the model grid to positions in cells."""
        return (voxels - self.first) / self.size


def within(positions: Array, count: int) -> Array:
    """Whether positions lie within the outer faces of `count` voxels."""
    tolerance = 1e-4  # of a voxel: affines are stored in single precision
    return (positions >= -0.5 - tolerance) & (positions <= count - 0.5 + tolerance)


def box(along: Sequence[Array]) -> Array:
    """Return the mask (x y z) of what lies within along every axis."""
    x, y, z = along
    return x[:, None, None] & y[None, :, None] & z[None, None, :]


def affine_transform(
    data: Array, matrix: space.Affine, shape: Triple, order: Literal[0, 1] = 1
) -> Array:
    """Return an array sampled where `matrix` takes the indices of a grid; clamped at its faces."""
    result: Array = ndimage.affine_transform(
        data, matrix[:3, :3], matrix[:3, 3], output_shape=shape, order=order, mode="nearest"
    )
    return result


def transformed(matrix: space.Affine, shape: Triple) -> list[Array]:
    """Return the three coordinates of `matrix` applied to every index of a grid."""
    indices = np.ogrid[tuple(slice(n) for n in shape)]
    return [
        matrix[row, 3] + sum(matrix[row, axis] * indices[axis] for axis in range(3))
        for row in range(3)
    ]
