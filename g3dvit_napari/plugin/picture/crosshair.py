"""Lines through the point that the slices cross at, and a ring around a peak: a layer of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Layer, Vectors
from numpy.typing import NDArray

from g3dvit_napari.plugin.picture.layers import entry_of, role_of
from g3dvit_napari.plugin.picture.line_layer import insert_quietly, is_held, line_layer
from g3dvit_napari.plugin.picture.planes import SPATIAL

Array = NDArray[Any]
Point = tuple[float, ...]  # (z y x) in the canvas's world
ROLE, NAME = "crosshair", "marks"
COLOR = "#4dff88"  # no colour map on offer has it
WIDTH, GAP, RADIUS = 1.5, 9.0, 8.0  # pixels: of a line, around its middle, of the ring
CORNERS = 24  # of the ring


class Crosshair:
    """Draws over one anatomy, in slices; its layer goes when there is nothing to draw.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    anatomy
        The lines end with it.
    place
        Returns where in the list of layers it comes; None: above all, and it stays there.
    """

    def __init__(self, viewer: Any, anatomy: Layer, place: Callable[[], int] | None = None) -> None:
        self._viewer, self._anatomy, self._place = viewer, anatomy, place
        self._lines = False
        self._peak: Point | None = None
        self._removing = False
        for event in self._movements():
            event.connect(self._draw)

    @property
    def layer(self) -> Vectors | None:
        """The layer with the lines, found by its metadata."""
        for layer in self._viewer.layers:
            if is_over(layer, self.anatomy_id) and isinstance(layer, Vectors):
                return layer
        return None

    @property
    def anatomy_id(self) -> str:
        """What the layer with the lines says it lies over."""
        return str(self._anatomy.unique_id)

    @property
    def removing(self) -> bool:
        """Whether the layer is being removed by us and not by the user."""
        return self._removing

    def show(self, lines: bool, peak: Point | None) -> None:
        """Draw lines through the point of the slices, and a ring around a peak, or neither."""
        self._lines, self._peak = lines, peak
        layer = self.layer
        if layer is not None and self._place is None and self._viewer.layers[-1] is not layer:
            self._remove()  # a map has come above it
        self._draw()

    def renew(self) -> None:
        """Draw it on a new layer, in the slices that are on show now.

        While napari turns a volume into slices, it goes by a slice in the middle; a layer that was
        added then may stay there.
        """
        self._remove()
        self._draw()

    def close(self) -> None:
        """Take the layer away, and follow no longer."""
        for event in self._movements():
            event.disconnect(self._draw)
        self._remove()

    def _movements(self) -> tuple[Any, ...]:
        dims, camera = self._viewer.dims.events, self._viewer.scene.camera.events
        return dims.point, dims.order, dims.ndisplay, dims.thickness, camera.zoom

    def _remove(self) -> None:
        layer = self.layer
        if layer is not None:
            self._removing = True
            self._viewer.layers.remove(layer)
            self._removing = False

    def _draw(self, event: object = None) -> None:
        del event
        layer = self.layer
        if layer is not None and is_held(layer):
            return
        flat = int(self._viewer.dims.ndisplay) == 2
        if not flat or not (self._lines or self._peak) or self._axis is None:
            self._remove()
            return
        layer = layer or self._add()
        pieces = [*(self._cross() if self._lines else ()), *self._ring()]
        data = np.array(pieces).reshape(-1, 2, SPATIAL) / self._step
        layer.data = np.stack([data[:, 0], data[:, 1] - data[:, 0]], axis=1)
        layer.edge_width = WIDTH * self._pixel / self._step

    def _add(self) -> Vectors:
        entry = {"role": ROLE, "anatomy": self.anatomy_id}
        place = {
            "units": self._anatomy.units[-SPATIAL:],
            "axis_labels": self._anatomy.axis_labels[-SPATIAL:],
            "scale": (self._step,) * SPATIAL,
        }
        layer = line_layer(NAME, entry, place, WIDTH * self._pixel / self._step, COLOR)
        index = len(self._viewer.layers) if self._place is None else self._place()
        insert_quietly(self._viewer, layer, index)
        return layer

    @property
    def _axis(self) -> int | None:
        return hidden_axis(self._viewer)

    @property
    def _point(self) -> Array:
        return np.array(self._viewer.dims.point[-SPATIAL:], dtype=float)

    @property
    def _pixel(self) -> float:
        """The size of a pixel of the screen in the world."""
        return 1.0 / max(float(self._viewer.scene.camera.zoom), 1e-6)

    @property
    def _steps(self) -> Array:
        return np.abs(np.array(self._anatomy.extent.step[-SPATIAL:], dtype=float))

    @property
    def _step(self) -> float:
        """One step for all axes; not below the largest, since the smallest is the sliders'."""
        return float(self._steps.max())

    def _cross(self) -> list[Array]:
        """Return the four arms: from the edges of the anatomy up to a gap."""
        low, high = self._anatomy.extent.world[:, -SPATIAL:]
        point, pieces = self._point, []
        for axis in set(range(SPATIAL)) - {self._axis}:
            inside = self._step - self._steps[axis] / 2  # half a step more would widen the scene
            for end, sign in ((low[axis] + inside, -1), (high[axis] - inside, 1)):
                start = point[axis] + sign * GAP * self._pixel
                if sign * (end - start) > 0:
                    piece = np.stack([point, point])
                    piece[:, axis] = start, end
                    pieces.append(piece)
        return pieces

    def _ring(self) -> list[Array]:
        """Return the ring, in the slices that the peak lies in."""
        axis, dims = self._axis, self._viewer.dims
        if self._peak is None or axis is None:
            return []
        thick = max(self._steps[axis], float(dims.thickness[axis - SPATIAL]))
        centre = np.array(self._peak)
        if abs(centre[axis] - self._point[axis]) > thick / 2 + 1e-6:
            return []
        centre[axis] = self._point[axis]
        turn = np.linspace(0, 2 * np.pi, CORNERS + 1)
        corners = np.tile(centre, (CORNERS + 1, 1))
        for one, wave in zip(sorted(set(range(SPATIAL)) - {axis}), (np.sin, np.cos), strict=True):
            corners[:, one] += RADIUS * self._pixel * wave(turn)
        return list(np.stack([corners[:-1], corners[1:]], axis=1))


def hidden_axis(viewer: Any) -> int | None:
    """Return which of z, y, x slices are counted along; None with time on the screen."""
    hidden = [axis - viewer.dims.ndim + SPATIAL for axis in viewer.dims.not_displayed]
    spatial = [axis for axis in hidden if axis >= 0]
    return spatial[0] if len(spatial) == 1 else None


def is_over(layer: Layer, anatomy_id: str) -> bool:
    """Whether a layer, there or just removed, is a crosshair over an anatomy."""
    return role_of(layer) == ROLE and entry_of(layer).get("anatomy") == anatomy_id
