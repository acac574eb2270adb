"""The cut-away: a plane takes the near part of the anatomy off; the map stays whole."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from g3dvit_napari.plugin.picture.planes import SPATIAL

Side = Literal["near", "left", "right", "front", "back", "top", "bottom"]
# What is taken off, as the direction (z, y, x) from there into what stays.
_INTO: dict[Side, tuple[float, float, float]] = {
    "left": (0, 0, 1),
    "right": (0, 0, -1),
    "front": (0, -1, 0),
    "back": (0, 1, 0),
    "top": (-1, 0, 0),
    "bottom": (1, 0, 0),
}


class CutAway:
    """Clips one anatomy through the crosshair, or so many millimetres behind it.

    Follows the crosshair and, where it faces the viewer ("near"), the camera.
    """

    def __init__(self, viewer: Any, anatomy: Image, unit_mm: float = 1.0) -> None:
        self._viewer, self._anatomy, self._unit_mm = viewer, anatomy, unit_mm
        self._planes_before = [plane.model_copy() for plane in anatomy.experimental_clipping_planes]
        self._side: Side = "top"
        self._depth_mm = 0.0
        self._plane: dict[str, tuple[float, ...]] = {}
        for event in self._events():
            event.connect(self._on_moved)

    def cut(self, side: Side, depth_mm: float = 0.0) -> None:
        """Take off what lies on a side of the crosshair, or less (negative depth) or more."""
        self._side, self._depth_mm = side, depth_mm
        self._on_moved()

    def close(self) -> None:
        """Make the anatomy whole again."""
        for event in self._events():
            event.disconnect(self._on_moved)
        self._anatomy.experimental_clipping_planes = self._planes_before

    def _events(self) -> tuple[Any, ...]:
        return self._viewer.dims.events.point, self._viewer.scene.camera.events.angles

    def _on_moved(self, event: object = None) -> None:
        del event
        if self._viewer.dims.ndim < self._anatomy.ndim:  # the window is being closed
            return
        into = self._direction()
        point = np.array(self._viewer.dims.point, dtype=float)
        point[-SPATIAL:] += into * self._depth_mm / self._unit_mm
        # In the world, whatever napari's words say of data: so it draws them (0.9, seen in a test).
        plane = {"position": tuple(point[-SPATIAL:]), "normal": tuple(into)}
        if plane == self._plane:  # a new one, however equal, builds the graphics program anew
            return
        self._plane = plane
        self._anatomy.experimental_clipping_planes = [*self._planes_before, plane]

    def _direction(self) -> NDArray[np.float64]:
        if self._side != "near":
            return np.array(_INTO[self._side], dtype=float)
        direction = np.zeros(SPATIAL)
        dims = self._viewer.dims
        displayed = [axis - dims.ndim + SPATIAL for axis in dims.order[-SPATIAL:]]
        direction[displayed] = self._viewer.scene.camera.view_direction
        return direction
