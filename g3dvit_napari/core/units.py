"""A map on other cells than its own: averaged over patches, or given as the share of a mask."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core import space
from g3dvit_napari.core.axes import Line, transformed
from g3dvit_napari.core.cells import Cells, Triple
from g3dvit_napari.core.fit import Placement


def patch_cells(placement: Placement) -> Cells:
    """Return the network's patches (f h w); the map's own cells where it has none."""
    network = placement.spec.network
    if placement.map_cells is not None and network.patch is None:
        return placement.map_cells
    return Cells.tiling(network.token_grid, network.patch or (1, 1, 1))


def numbers_of(placement: Placement, shape: Triple) -> NDArray[np.int64]:
    """Return which cell, counted along f h w, each voxel (x y z) lies in; -1: in none."""
    numbers = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    found = np.nan_to_num(placement.to_native(numbers, "nearest", np.float64), nan=-1)
    return np.rint(found).astype(np.int64)


def averaged(values: NDArray[Any], cells: Cells, units: Cells) -> NDArray[np.float64]:
    """Return a map (f h w) of some cells averaged over the voxels of other cells (f h w).

    Every voxel of the input has the value of the cell that is nearest to it. Finer cells are
    averaged, coarser ones repeated.
    """
    if cells == units:
        return np.asarray(values, dtype=np.float64)
    weights = []
    for axis in range(3):
        count, size = units.shape[axis], units.size[axis]
        voxels = np.arange(round(count * size))
        cell = Line(cells.shape[axis], cells.size[axis], cells.first[axis])
        unit = Line(count, size, units.first[axis])
        near = space.nearest_weights(cell.of_voxels(voxels), cell.count)
        belongs = space.nearest_weights(unit.of_voxels(voxels), count)
        weights.append(belongs.T @ near / belongs.sum(axis=0)[:, None])
    return space.separable(np.asarray(values, dtype=np.float64), weights)


def share_of_cells(mask: NDArray[Any], numbers: NDArray[np.int64], count: int) -> NDArray[Any]:
    """Return the share of each cell's voxels that a mask (x y z) holds; NaN where it has none."""
    seen = numbers >= 0
    total = np.bincount(numbers[seen], minlength=count)
    inside = np.bincount(numbers[seen], mask[seen] > 0, minlength=count)
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, inside / np.maximum(total, 1), np.nan)


def on_input(mask: NDArray[Any], placement: Placement) -> NDArray[np.bool_]:
    """Return which voxels of the network's input (f h w) lie at least half in a mask (x y z)."""
    rules = placement.spec.input.model_copy(
        update={"intensity": "none", "clip": None, "pad_value": 0.0}
    )
    spec = placement.spec.model_copy(update={"input": rules})
    volume = placement.volume.like((mask > 0).astype(np.float32))
    share = replace(placement, volume=volume, spec=spec).to_tensor()[0]
    return np.asarray(share >= 0.5)


def patch_corners(placement: Placement, cells: Cells) -> NDArray[np.float64]:
    """Return the corners (8, 3) of a cell, as steps in mm from its centre."""
    size = placement.with_cells(cells).cells.size
    signs = np.array(list(product((-0.5, 0.5), repeat=3)))
    corners: NDArray[np.float64] = (signs * size) @ placement.model_affine[:3, :3].T
    return corners


def centres_of(placement: Placement, cells: Cells) -> NDArray[np.float64]:
    """Return the centres (cells, 3) of cells, counted along f h w, in world mm."""
    placed = placement.with_cells(cells)
    grid = placed.patch_volume(np.zeros(cells.shape))
    world = [np.broadcast_to(axis, grid.shape) for axis in transformed(grid.affine, grid.shape)]
    return np.stack([placed.tokens_of(grid.like(axis)).ravel() for axis in world], axis=1)


def settled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values rounded to 2^-40 of their largest size.

    Interpolation in double precision leaves differences of 1e-16 between places that are equal;
    which of them is larger depends on the order of the array.
    """
    largest = np.abs(values).max(initial=0.0)
    step = 2.0 ** (int(np.frexp(largest)[1]) - 40)
    return np.round(values / step) * step
