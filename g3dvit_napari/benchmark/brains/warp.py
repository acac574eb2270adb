"""Smooth random fields, and the random bend that makes one template many subjects."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from g3dvit_napari.benchmark.brains.grid import Array, Floats, Grid, column

POINTS = 5  # control points of a bend along each axis
CENTRE = (0, -18, 10)  # mm, around which heads are turned and scaled
SCALING, TURNING, SHIFT = 0.02, 0.03, 1.5  # standard deviations: share, radians, mm


def smooth(rng: np.random.Generator, points: int, spread: float, grid: Grid) -> Floats:
    """Return a smooth random field (x y z) through `points` control points along each axis."""
    control = rng.normal(0, spread, (points,) * 3)
    factors = [n / points for n in grid.shape]
    return np.asarray(ndimage.zoom(control, factors, order=2, mode="nearest", grid_mode=True))


def displacement(rng: np.random.Generator, grid: Grid, spread: float) -> Array:
    """Return a random smooth bend with a small turn, scaling and shift, in mm (3, x, y, z).

    `spread` is the standard deviation of the bend at its control points, in mm.
    """
    bend = np.stack([smooth(rng, POINTS, spread, grid) for _ in range(3)])
    linear = np.diag(rng.normal(0, SCALING, 3)) + _turn(rng.normal(0, TURNING, 3))
    centred = grid.positions_mm() - column(CENTRE)
    shift = column(rng.normal(0, SHIFT, 3))
    turned = np.einsum("ij,jxyz->ixyz", linear, centred)
    return np.asarray(bend + turned + shift, dtype=np.float32)


def _turn(angles: Floats) -> Floats:
    """Return the generator of a small rotation, radians."""
    a, b, c = angles
    return np.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])


def jacobian(displaced: Floats | Array, edge: float) -> Floats:
    """Return the determinant (x y z) of x + u(x), for u (3, x, y, z) in mm on voxels of `edge` mm.

    Central differences; it is the local change of volume, and below zero the map folds.
    """
    rows = [np.asarray(np.gradient(u.astype(np.float64), edge)) for u in displaced]
    matrix = np.stack(rows) + np.eye(3)[:, :, None, None, None]
    return np.asarray(np.linalg.det(np.moveaxis(matrix, (0, 1), (-2, -1))))
