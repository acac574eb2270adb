"""The arrays behind the picture: the scaled map, smooth or in blocks, and the map as saved."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core import space
from g3dvit_napari.core.types import Explanation, Volume
from g3dvit_napari.plugin.picture.layers import Grid

Array = NDArray[Any]
Resolution = Literal["smooth", "patches", "saved"]
MOST_DETAIL = 6  # array cells per side of a drawn block: rays would step over single large ones
PARALLEL = 1e-3  # largest share of a step that may run along another axis


def smooth_map(explanation: Explanation) -> Array:
    """Return the scaled, uncut map on the volume's own grid (x y z), 0 outside the view."""
    return visible(explanation.scaled.voxels)


def saved_map(explanation: Explanation) -> Array:
    """Return the map exactly as it is saved: cut as the request says; 0 outside the view."""
    return visible(explanation.relevance.data)


def saved_differs(explanation: Explanation) -> bool:
    """Whether the saved map is more than the smooth one behind a gate: cut before smoothing."""
    return explanation.cut is not None and explanation.request.threshold.stage == "patches"


def visible(values: Array) -> Array:
    """Return float32 values with 0, which every gate hides, for those that are not a number."""
    return np.where(np.isfinite(values), values, 0.0).astype(np.float32, copy=False)


def patch_map(explanation: Explanation) -> Array:
    """Return the scaled, uncut map on the patch grid (x y z)."""
    scaled = explanation.scaled
    return visible(scaled.placement.patch_volume(scaled.patches).data)


def place_patches(
    values: Array, explanation: Explanation, grid: Grid
) -> tuple[Array, space.Affine]:
    """Return the patch map as blocks of cells, and the affine that draws them in the volume's grid.

    Where the blocks are tilted against the volume's voxels, they are sampled at the voxels, since
    napari cannot draw two tilts in one slice.
    """
    patches = Volume(values, explanation.patch_map.affine)
    relative = np.linalg.inv(grid.true) @ patches.affine
    linear = relative[:3, :3]
    steps = np.diag(linear)
    if np.abs(linear - np.diag(steps)).max() <= PARALLEL * np.abs(steps).min() and steps.min() > 0:
        relative[:3, :3] = np.diag(steps)
        times = detail_of(explanation)
        finer = space.step_affine([(1 / times - 1) / 2] * 3, [1 / times] * 3)
        return _repeated(values, times), grid.shown @ relative @ finer
    return _at_voxels(values, np.linalg.inv(relative), explanation), grid.shown


def detail_of(explanation: Explanation) -> int:
    """Return how often a cell is repeated along each axis: cells as small as voxels, not at all."""
    voxels, cells = explanation.relevance.shape, explanation.patch_map.shape
    wanted = max(n / m for n, m in zip(voxels, cells, strict=True))
    return min(max(round(wanted), 1), MOST_DETAIL)


def _repeated(values: Array, times: int) -> Array:
    for axis in range(3):
        values = values.repeat(times, axis=axis)
    return values


def _at_voxels(values: Array, pull: space.Affine, explanation: Explanation) -> Array:
    """Return, for every voxel of the volume, the value of the block it lies in."""
    voxels = np.indices(explanation.relevance.shape).reshape(3, -1)
    blocks = np.rint(pull[:3, :3] @ voxels + pull[:3, 3:]).astype(int)
    limits = np.array(values.shape)[:, None]
    inside = ((blocks >= 0) & (blocks < limits)).all(axis=0)
    result = np.zeros(voxels.shape[1], dtype=np.float32)
    result[inside] = values[tuple(blocks[:, inside])]
    return result.reshape(explanation.relevance.shape)
