"""Where cubes may lie, and which of these places belong to which split."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.benchmark.sample import Split

SHARES = {"train": (0.0, 0.7), "valid": (0.7, 0.85), "test": (0.85, 1.0)}
_SHUFFLE = 20  # seed of the order in which places are dealt to the splits

Corners = NDArray[np.int64]


def shared(cell: Cell) -> str | None:
    """Return why training and test volumes have cubes at the same places, or None."""
    if cell.places == "free" or cell.question != "position":
        return None
    words = f"there are {cell.per_axis**3} places, and each is a class"
    if cell.noise:
        return f"{words}; the splits differ in the noise alone"
    return f"{words}: without noise there are no other volumes, and accuracy tests memory alone"


def corners(cell: Cell, split: Split) -> Corners:
    """Return the lowest corners (n x y z) that a cube may have in a split."""
    step = cell.cube if cell.places == "aligned" else 1
    return _dealt(cell.grid, cell.cube, step, None if shared(cell) else split)


@lru_cache(maxsize=64)
def _dealt(grid: int, cube: int, step: int, split: Split | None) -> Corners:
    along = np.arange(0, grid - cube + 1, step)
    every = np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).reshape(-1, 3)
    if split is None:
        return every
    order = np.random.default_rng(_SHUFFLE).permutation(len(every))
    low, high = (round(len(every) * share) for share in SHARES[split])
    return every[np.sort(order[low:high])]


def box(corner: NDArray[np.int64], cube: int) -> tuple[slice, slice, slice]:
    """Return the voxels of a cube."""
    x, y, z = (slice(int(c), int(c) + cube) for c in corner)
    return x, y, z


def cube_mask(grid: int, corner: NDArray[np.int64], cube: int) -> NDArray[np.bool_]:
    """Return the mask (x y z) of one cube."""
    mask = np.zeros((grid,) * 3, dtype=bool)
    mask[box(corner, cube)] = True
    return mask


def nearest_place(corner: NDArray[np.int64], cell: Cell) -> int:
    """Return the number of the aligned place that a cube is nearest to (x slowest)."""
    place = np.floor(np.asarray(corner) / cell.cube + 0.5).astype(int)
    return int(np.ravel_multi_index(tuple(place), (cell.per_axis,) * 3))


def apart(first: NDArray[np.int64], among: Corners, cube: int) -> Corners:
    """Return the corners whose cubes share no voxel with the first."""
    return np.asarray(among[(np.abs(among - first) >= cube).any(axis=1)])
