"""All views go to one place."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer

from g3dvit_napari.plugin.places.ground import Point


def jump(viewer: Any, point: Point, anatomy: Layer) -> None:
    """Move the slices to a point (z y x) of the canvas, and the camera where it is out of sight.

    A volume is turned about the point from then on.
    """
    dims = viewer.dims
    world = tuple(float(part) for part in point)
    dims.set_point(range(dims.ndim - 3, dims.ndim), world)
    if dims.ndisplay == 3:
        viewer.scene.camera.center = world
    elif not _in_sight(viewer, anatomy):
        shown = [dims.point[axis] for axis in dims.displayed]
        viewer.scene.camera.center = (0.0, *shown)


def _in_sight(viewer: Any, anatomy: Layer) -> bool:
    """Whether the point of the slices lies in the part of the anatomy that the canvas shows."""
    dims = viewer.dims
    voxel = np.array(anatomy.world_to_data(dims.point[-anatomy.ndim :]))
    shown = [axis - dims.ndim + anatomy.ndim for axis in dims.displayed]
    low, high = anatomy.corner_pixels[:, shown]
    return bool(((voxel[shown] >= low) & (voxel[shown] <= high)).all())
