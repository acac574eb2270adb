"""Grids and their affines: axis codes, crops, coarser grids, separable interpolation.

An affine maps voxel centres (i, j, k) to world millimetres (RAS+). Arrays of volumes are in closest
RAS+ order; `codes` such as "LAS" name another order and direction of the same three axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", int, float)
Array = NDArray[Any]
Affine = NDArray[Any]

_AXIS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def to_codes(array: Array, codes: str) -> Array:
    """Return a view of a RAS+ array with its axes ordered and directed as `codes`."""
    axes = [_AXIS[letter] for letter in codes]
    turned = array.transpose([axis for axis, _ in axes])
    return turned[tuple(slice(None, None, sign) for _, sign in axes)]


def from_codes(array: Array, codes: str) -> Array:
    """Undo `to_codes`: return a RAS+ view of an array ordered as `codes`."""
    axes = [_AXIS[letter] for letter in codes]
    straight = array[tuple(slice(None, None, sign) for _, sign in axes)]
    return straight.transpose(np.argsort([axis for axis, _ in axes]))


def affine_to_codes(affine: Affine, shape: Sequence[int], codes: str) -> Affine:
    """Return the affine of `to_codes(array)`, given affine and shape of the RAS+ array."""
    return affine @ _signed_permutation(shape, codes)


def affine_from_codes(affine: Affine, shape: Sequence[int], codes: str) -> Affine:
    """Return the affine of `from_codes(array)`, given affine and shape in the order of `codes`."""
    straight = [0, 0, 0]
    for n, letter in zip(shape, codes, strict=True):
        straight[_AXIS[letter][0]] = n
    inverse = np.linalg.inv(_signed_permutation(straight, codes))
    result: Affine = affine @ inverse.round()
    return result


def _signed_permutation(shape: Sequence[int], codes: str) -> Affine:
    """Map an index in the order of `codes` to the index in the RAS+ array of `shape`."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, letter in enumerate(codes):
        axis, sign = _AXIS[letter]
        matrix[axis, new] = sign
        matrix[axis, 3] = shape[axis] - 1 if sign < 0 else 0
    return matrix


def closest_codes(affine: Affine) -> str:
    """Return the axis codes of an affine: for each array axis the world axis it runs along."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    codes = ["", "", ""]
    free = np.abs(directions)
    for _ in range(3):
        world, axis = np.unravel_index(np.argmax(free), (3, 3))
        codes[axis] = ("RL", "AP", "SI")[world][int(directions[world, axis] < 0)]
        free[world, :] = free[:, axis] = -1
    return "".join(codes)


def obliquity_degrees(affine: Affine) -> float:
    """Return the largest angle between an array axis and the world axis it is closest to."""
    directions = np.abs(affine[:3, :3]) / np.linalg.norm(affine[:3, :3], axis=0)
    return float(np.degrees(np.arccos(np.clip(directions.max(axis=0), -1, 1)).max()))


def step_affine(start: Sequence[float], step: Sequence[float]) -> Affine:
    """Return the index map n = start + step * m of a crop, a stretch or a coarser grid."""
    matrix = np.diag([*step, 1.0])
    matrix[:3, 3] = start
    return matrix


def reordered(triple: tuple[T, T, T], axes: Sequence[int]) -> tuple[T, T, T]:
    """Return the entries of a triple in another order of axes."""
    x, y, z = (triple[axis] for axis in axes)
    return x, y, z


def linear_weights(positions: Array, count: int) -> Array:
    """Return weights (len(positions), count): linear interpolation, clamped at both ends."""
    positions = np.clip(positions, 0, count - 1)
    left = np.minimum(positions.astype(int), max(count - 2, 0))
    right = np.minimum(left + 1, count - 1)
    fraction = positions - left
    weights = np.zeros((len(positions), count))
    rows = np.arange(len(positions))
    weights[rows, left] += 1 - fraction
    weights[rows, right] += fraction
    return weights


def nearest_weights(positions: Array, count: int) -> Array:
    """Return weights (len(positions), count): one for the nearest cell."""
    nearest = np.clip(np.floor(positions + 0.5).astype(int), 0, count - 1)
    weights: Array = np.eye(count)[nearest]
    return weights


def area_weights(positions: Array, step: float, count: int) -> Array:
    """Return weights (len(positions), count): the mean over `step` voxels around each position.

    For shrinking by more than about 1.5, where linear interpolation would alias.
    """
    half, cells = abs(step) / 2, np.arange(count)
    upper = np.minimum(positions[:, None] + half, cells + 0.5)
    lower = np.maximum(positions[:, None] - half, cells - 0.5)
    overlap = np.clip(upper - lower, 0, None)
    total = overlap.sum(axis=1, keepdims=True)
    outside = total[:, 0] == 0
    overlap[outside] = nearest_weights(positions[outside], count)
    result: Array = overlap / np.where(total == 0, 1, total)
    return result


def separable(array: Array, weights: Sequence[Array]) -> Array:
    """Apply one weight matrix (new, old) along each of the three axes."""
    for matrix in weights:  # contracting axis 0 and appending the new one leaves the order x y z
        array = np.tensordot(array, matrix.astype(array.dtype, copy=False), axes=(0, 1))
    return array
