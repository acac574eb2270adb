"""Two ways to look at a head, slices and a volume, each with settings that were tried and seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from napari.layers import Image, Layer

View = Literal["slices", "volume"]
NDISPLAY: dict[View, int] = {"slices": 2, "volume": 3}

# Gyri stay readable and the map keeps the colours it has in slices; anything additive washes out.
ANATOMY_AS_VOLUME = {
    "rendering": "attenuated_mip",
    "attenuation": 0.1,
    "opacity": 0.75,
    "blending": "translucent",
}
MAP_OPACITY = {2: 0.85, 3: 1.0}
# From the left, behind and above, as (z, y, x); the second is what points up on the screen.
CLOSER = 1.3  # napari fits the corners of the box, a head leaves them empty
VIEW_DIRECTION, UP = (-0.35, 0.75, 0.55), (1.0, 0.0, 0.0)


def map_look(signed: bool, blocks: bool = False) -> dict[str, Any]:
    """Return the layer keywords of a map that lies over an anatomy."""
    # A maximum projection never shows negative values, so signed maps are seen through instead.
    interpolation = "nearest" if blocks else "linear"
    return {
        "blending": "translucent_no_depth",
        "interpolation2d": interpolation,
        "interpolation3d": interpolation,
        "rendering": "translucent" if signed else "mip",
        "contrast_limits": (-1.0, 1.0) if signed else (0.0, 1.0),
    }


class Scenes:
    """Remembers how the layers looked in slices and as a volume, and switches between the two.

    Follows napari's own 2D/3D button too, so that both ways lead to the same picture.
    """

    def __init__(
        self,
        viewer: Any,
        anatomy: Layer,
        maps: Callable[[], Iterable[Layer]],
        drawn: Callable[[], None],
    ) -> None:
        self._viewer, self._anatomy, self._maps, self._drawn = viewer, anatomy, maps, drawn
        self._shown = int(viewer.dims.ndisplay)
        self._looks: dict[int, dict[str, Any]] = {3: ANATOMY_AS_VOLUME}
        camera = viewer.scene.camera
        self._frames = {self._shown: (camera.center, camera.zoom)}
        self._point: tuple[float, ...] = tuple(viewer.dims.point)
        viewer.dims.events.ndisplay.connect(self._on_entered)
        for event in self._movements():
            event.connect(self._on_moved)
        if self._shown == 3:
            self._shown = 2
            self._on_entered()

    def show(self, view: View) -> None:
        """Switch to slices or to the volume."""
        self._viewer.dims.ndisplay = NDISPLAY[view]

    def close(self) -> None:
        """Stop following the viewer; what is on the screen stays."""
        self._viewer.dims.events.ndisplay.disconnect(self._on_entered)
        for event in self._movements():
            event.disconnect(self._on_moved)

    def _movements(self) -> tuple[Any, ...]:
        camera = self._viewer.scene.camera.events
        return self._viewer.dims.events.point, camera.center, camera.zoom

    def _on_moved(self, event: object = None) -> None:
        """Remember the user's own moves, not those napari makes while it switches the view."""
        del event
        if int(self._viewer.dims.ndisplay) == self._shown:
            camera = self._viewer.scene.camera
            self._frames[self._shown] = (camera.center, camera.zoom)
            self._point = tuple(self._viewer.dims.point)

    def _on_entered(self, event: object = None) -> None:
        del event
        left, self._shown = self._shown, int(self._viewer.dims.ndisplay)
        if left == self._shown:
            return
        if isinstance(self._anatomy, Image):
            look = {name: getattr(self._anatomy, name) for name in ANATOMY_AS_VOLUME}
            self._looks[left] = {k: getattr(v, "value", v) for k, v in look.items()}
            for name, value in self._looks.get(self._shown, {}).items():
                setattr(self._anatomy, name, value)
        for layer in self._maps():
            layer.opacity = MAP_OPACITY[self._shown]
        self._frame()
        self._drawn()

    def _frame(self) -> None:
        """Go back to the slices and the frame of the last time; at first, fill the canvas."""
        camera, frame = self._viewer.scene.camera, self._frames.get(self._shown)
        if self._shown == 2 and len(self._point) == self._viewer.dims.ndim:
            self._viewer.dims.point = self._point
        if frame is not None:
            camera.center, camera.zoom = frame
            return
        if self._shown == 3:
            camera.set_view_direction(VIEW_DIRECTION, UP)
        self._viewer.fit_to_view()
        camera.zoom *= CLOSER if self._shown == 3 else 1.0
