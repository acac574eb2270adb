"""A grid of voxels in the head, and the world position of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice, slice]
WHOLE: Box = (slice(None), slice(None), slice(None))


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxels along x, y, z, all edges equally long, and their affine to world mm."""

    shape: tuple[int, int, int]
    affine: Floats

    @property
    def edge(self) -> float:
        """Edge of a voxel in mm."""
        return float(np.linalg.norm(self.affine[:3, 0]))

    def positions_mm(self, box: Box = WHOLE) -> Floats:
        """Return the world position of every voxel of a part of the grid, (3, x, y, z)."""
        whole = (range(n)[part] for n, part in zip(self.shape, box, strict=True))
        index = np.stack(np.meshgrid(*whole, indexing="ij")).astype(np.float64)
        turned = np.einsum("ij,jxyz->ixyz", self.affine[:3, :3], index)
        return np.asarray(turned + column(self.affine[:3, 3]))

    def box(self, centre: Floats, reach: float) -> Box:
        """Return the voxels within `reach` mm of a place along every axis, inside the grid."""
        middle = np.linalg.solve(self.affine, [*centre, 1])[:3]
        low = np.floor(middle - reach / self.edge).astype(int).clip(0)
        high = np.ceil(middle + reach / self.edge).astype(int) + 1
        x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        return x, y, z


def column(vector: Sequence[float] | NDArray[Any]) -> NDArray[Any]:
    """Return a vector (3) that is added to a field (3, x, y, z)."""
    return np.asarray(vector)[:, None, None, None]


def world_to_index(world: NDArray[Any], affine: Floats) -> NDArray[Any]:
    """Return the indices (3, x, y, z) of world positions (3, x, y, z) on a grid."""
    inverse = np.linalg.inv(affine)
    turned = np.einsum("ij,jxyz->ixyz", inverse[:3, :3], world)
    return np.asarray(turned + column(inverse[:3, 3]))
