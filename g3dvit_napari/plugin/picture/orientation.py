"""Which way is left: the camera's convention, and the letters on the edges of the canvas."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from napari.components.overlays import TextOverlay

Convention = Literal["neurological", "radiological"]

# (S, A, R) is a left-handed triple, so a faithful head needs a left-handed camera. Any other pair
# of these letters with an "up" would mirror the head as soon as it is shown as a volume.
CAMERA: dict[Convention, tuple[str, str, str]] = {
    "neurological": ("towards", "up", "right"),
    "radiological": ("away", "up", "left"),
}
EDGES = {
    "left": "middle_left",
    "right": "middle_right",
    "top": "top_center",
    "bottom": "bottom_center",
}
LARGE, SMALL = 16, 12
OBLIQUE_VIEW = 0.4  # a second letter appears where the view is turned this far off an axis
_LETTERS = (("I", "S"), ("P", "A"), ("L", "R"))  # per (z, y, x): low end, high end


class Viewer(Protocol):
    """The parts of a napari viewer that this file touches."""

    dims: Any
    scene: Any
    canvas: Any


class SideLetters:
    """Four letters, L R A P S or I, on the edges of the canvas, kept true to the camera."""

    def __init__(self, viewer: Viewer, key: str = "side") -> None:
        self._viewer, self._key = viewer, f"g3dvit_{key}_"
        self._overlays = {
            edge: TextOverlay(position=place, text=" ", font_size=LARGE, visible=True, box=False)
            for edge, place in EDGES.items()
        }
        for edge, overlay in self._overlays.items():
            viewer.canvas.overlays[self._key + edge] = overlay
        for event in self._events():
            event.connect(self._on_view_changed)
        self._wanted, self._gridded = True, False
        self._on_view_changed()

    def _events(self) -> tuple[Any, ...]:
        dims, camera = self._viewer.dims.events, self._viewer.scene.camera.events
        return dims.order, dims.ndisplay, dims.ndim, camera.orientation, camera.angles

    @property
    def texts(self) -> dict[str, str]:
        """What stands at each edge now."""
        return {edge: overlay.text.strip() for edge, overlay in self._overlays.items()}

    def in_every_cell(self, gridded: bool) -> None:
        """Put the letters left and right into every cell of napari's grid, or all on the canvas."""
        self._gridded = gridded
        for overlay in self._overlays.values():
            overlay.gridded = gridded
            overlay.font_size = SMALL if gridded else LARGE
        self.show(self._wanted)

    def show(self, visible: bool) -> None:
        """Show or hide the letters."""
        self._wanted = visible
        for edge, overlay in self._overlays.items():
            place = edge in ("left", "right") or not self._gridded  # a title is above
            overlay.visible = visible and place

    def close(self) -> None:
        """Take the letters off the canvas and stop following the view."""
        for event in self._events():
            event.disconnect(self._on_view_changed)
        for edge in self._overlays:
            self._viewer.canvas.overlays.pop(self._key + edge, None)

    def _on_view_changed(self, event: object = None) -> None:
        del event
        right, up = _screen_axes(self._viewer)
        words = {
            "right": _word(right),
            "left": _word(-right),
            "top": _word(up),
            "bottom": _word(-up),
        }
        for edge, overlay in self._overlays.items():
            text = words[edge] or " "
            if overlay.text != text:
                overlay.text = text


def _screen_axes(viewer: Viewer) -> tuple[Any, Any]:
    """Return the world directions (z, y, x) that point right and up on the screen."""
    camera, dims = viewer.scene.camera, viewer.dims
    displayed = [axis - dims.ndim + 3 for axis in dims.displayed]
    up, right = np.zeros(3), np.zeros(3)
    if min(displayed) < 0 or len(displayed) != dims.ndisplay:  # time on the screen, or no volume
        return right, up
    if dims.ndisplay == 2:
        _, vertical, horizontal = (str(part) for part in camera.orientation)
        up[displayed[0]] = 1 if vertical == "up" else -1
        right[displayed[1]] = 1 if horizontal == "right" else -1
        return right, up
    up[displayed] = camera.up_direction
    towards = np.zeros(3)
    towards[displayed] = camera.view_direction
    right = np.cross(towards[::-1], up[::-1])[::-1]
    mirrored = str(camera.handedness) == "right"  # of (z, y, x), see CAMERA
    swapped = np.linalg.det(np.eye(3)[displayed]) < 0  # axes shown in an odd order mirror, too
    return (-right if mirrored != swapped else right), up


def _word(direction: Any) -> str:
    """Name a direction (z, y, x) by its strongest letters, strongest first."""
    order = np.argsort(-np.abs(direction))
    strong = [axis for axis in order if abs(direction[axis]) > OBLIQUE_VIEW][:2]
    return "".join(_LETTERS[axis][int(direction[axis] > 0)] for axis in strong)
