"""One volume's voxels, the scanner's millimetres and the canvas: from each to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.plugin.picture.layers import Grid

Point = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ground:
    """Affines of one volume (x y z); the canvas is napari's world (z y x)."""

    to_mm: NDArray[Any]
    to_canvas: NDArray[Any]

    @classmethod
    def of(cls, grid: Grid) -> Ground:
        """Return the ground under a volume that is drawn on a grid."""
        units = np.diag([*(1 / np.array(grid.unit_mm[::-1])), 1.0])
        return cls(grid.true, units @ grid.shown)

    def index_at(self, canvas: Sequence[float]) -> Point:
        """Return the place in voxels, with fractions, of a point on the canvas."""
        return _applied(np.linalg.inv(self.to_canvas), canvas[-1:-4:-1])

    def step_along(self, direction: Sequence[float]) -> Point:
        """Return a direction on the canvas as a step in voxels, at most one along any axis."""
        step = np.linalg.inv(self.to_canvas)[:3, :3] @ np.array(direction[-1:-4:-1], float)
        return step / max(float(np.abs(step).max()), 1e-12)

    def mm(self, index: Sequence[float] | Point) -> Point:
        """Return the scanner's coordinates (x y z) of a place in voxels."""
        return _applied(self.to_mm, index)

    def canvas(self, index: Sequence[float] | Point) -> Point:
        """Return the point (z y x) on the canvas of a place in voxels."""
        return _applied(self.to_canvas, index)[::-1]


def _applied(affine: NDArray[Any], point: Sequence[float] | Point) -> Point:
    moved: Point = affine[:3, :3] @ np.asarray(point, float) + affine[:3, 3]
    return moved
