"""All views go to one place."""

from __future__ import annotations

from typing import Any

from g3dvit_napari.plugin.places.ground import Point


def jump(viewer: Any, point: Point) -> None:
    """Move the slices to a point (z y x) of the canvas; a volume is turned about it from now on."""
    dims = viewer.dims
    world = tuple(float(part) for part in point)
    dims.set_point(range(dims.ndim - 3, dims.ndim), world)
    if dims.ndisplay == 3:
        viewer.scene.camera.center = world
