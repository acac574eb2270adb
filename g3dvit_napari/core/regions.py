"""Regions of an atlas on the cells of a map: which one each cell belongs to."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.axes import transformed, within
from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Volume

Labels = NDArray[np.int64]
EXACT = 2**24  # beyond it float32 skips whole numbers, and two labels may have become one


class Regions(NamedTuple):
    """The label (f h w) of each cell, 0 where it has none, and the labels that no cell got."""

    labels: Labels
    lost: tuple[int, ...]


def regions_of(labels: Volume, placement: Placement, cells: Cells) -> Regions:
    """Give every cell the label that most of its voxels carry; of equally many the smallest.

    Parameters
    ----------
    labels
        Whole numbers on the grid of the placed volume; 0: no region.
    placement
        Where the volume lies in the network's input.
    cells
        Cells of the input (f h w). One without a voxel of its own, being smaller than they are,
        gets the label of the voxel that its centre lies in.

    Raises
    ------
    VolumeError
        When the values are no labels.
    """
    numbers = np.arange(cells.count, dtype=np.float32).reshape(cells.shape)
    placement = placement.with_cells(cells)
    cell_of_voxel = placement.to_native(numbers, "nearest")
    found = _at_centres(_whole(labels), placement, cells)
    seen = np.isfinite(cell_of_voxel)
    with_voxels, commonest = _commonest(cell_of_voxel[seen].astype(np.int64), labels.data[seen])
    found.ravel()[with_voxels] = commonest
    lost = np.setdiff1d(np.unique(labels.data).astype(np.int64), [0, *np.unique(found)])
    return Regions(found, tuple(lost.tolist()))


def _whole(labels: Volume) -> Volume:
    values = labels.data
    if not np.array_equal(np.rint(values), values):
        raise VolumeError(
            f"{labels.name}: {values[np.rint(values) != values].flat[0]:g} is no label; "
            "regions need an image of whole numbers, resampled to the nearest voxel"
        )
    if np.abs(values).max() > EXACT:
        raise VolumeError(
            f"{labels.name}: label {np.abs(values).max():.0f} is too large to be told from its "
            f"neighbours; renumber the regions below {EXACT}"
        )
    return labels


def _at_centres(labels: Volume, placement: Placement, cells: Cells) -> Labels:
    """Return the label (f h w) of the voxel that the centre of each cell lies in, 0 outside."""
    grid = placement.patch_volume(np.zeros(cells.shape))
    places = transformed(np.linalg.inv(labels.affine) @ grid.affine, grid.shape)
    nearest = tuple(
        np.clip(np.rint(p), 0, n - 1).astype(np.int64)
        for p, n in zip(places, labels.shape, strict=True)
    )
    inside = [within(p, n) for p, n in zip(places, labels.shape, strict=True)]
    found = np.where(np.logical_and.reduce(inside), labels.data[nearest], 0)
    tokens = placement.tokens_of(grid.like(found.astype(np.int64)))
    return np.ascontiguousarray(tokens)


def _commonest(cells: Labels, labels: NDArray[Any]) -> tuple[Labels, Labels]:
    """Return the cells that occur beside any label, and the label most often beside each."""
    names, code = np.unique(labels, return_inverse=True)
    pairs, counts = np.unique(cells * len(names) + code, return_counts=True)
    cell, code = np.divmod(pairs, len(names))
    order = np.lexsort((code, -counts, cell))
    each, first = np.unique(cell[order], return_index=True)
    return each, names[code[order][first]].astype(np.int64)
