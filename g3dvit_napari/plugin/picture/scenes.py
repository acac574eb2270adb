"""Two ways to look at a head, slices and a volume, each with settings that were tried and seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from napari.layers import Image, Layer

View = Literal["slices", "volume"]
NDISPLAY: dict[View, int] = {"slices": 2, "volume": 3}
Scene = tuple[int, tuple[int, ...]]  # displayed dimensions, order of the axes of slices
VOLUME: Scene = (3, ())

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

    Follows napari's own buttons for 2D/3D and for the axes, so that all ways lead to one picture.
    """

    def __init__(
        self,
        viewer: Any,
        anatomy: Layer,
        maps: Callable[[], Iterable[Layer]],
        drawn: Callable[[], None],
    ) -> None:
        self._viewer, self._anatomy, self._maps, self._drawn = viewer, anatomy, maps, drawn
        self._entering = False
        self._looks: dict[int, dict[str, Any]] = {3: ANATOMY_AS_VOLUME}
        self._order: tuple[int, ...] = tuple(viewer.dims.order)  # of the slices
        self._shown = self._scene()
        self._frames: dict[Scene, tuple[Any, float]] = {}
        self._point: tuple[float, ...] = tuple(viewer.dims.point)
        self._on_moved()
        for event in self._turns():
            event.connect(self._on_entered)
        for event in self._movements():
            event.connect(self._on_moved)
        if self._shown == VOLUME:
            self._frames, self._shown = {}, (2, self._order)
            self._on_entered()

    def show(self, view: View) -> None:
        """Switch to slices or to the volume."""
        self._viewer.dims.ndisplay = NDISPLAY[view]

    def close(self) -> None:
        """Stop following the viewer; what is on the screen stays."""
        for event in self._turns():
            event.disconnect(self._on_entered)
        for event in self._movements():
            event.disconnect(self._on_moved)

    def _scene(self) -> Scene:
        """Name what is on the screen now; each plane keeps its own frame."""
        dims = self._viewer.dims
        return VOLUME if int(dims.ndisplay) == 3 else (2, tuple(dims.order))

    def _turns(self) -> tuple[Any, ...]:
        return self._viewer.dims.events.ndisplay, self._viewer.dims.events.order

    def _movements(self) -> tuple[Any, ...]:
        camera = self._viewer.scene.camera.events
        return self._viewer.dims.events.point, camera.center, camera.zoom

    def _on_moved(self, event: object = None) -> None:
        """Remember the user's own moves, not those napari makes while it switches the view."""
        del event
        if self._scene() == self._shown:
            camera = self._viewer.scene.camera
            self._frames[self._shown] = (camera.center, camera.zoom)
            self._point = tuple(self._viewer.dims.point)

    def _on_entered(self, event: object = None) -> None:
        del event
        left, entered = self._shown, self._scene()
        if left == entered or self._entering:
            return
        self._entering = True
        try:
            self._set_order(entered)
            entered = self._scene()
            if left[0] != entered[0]:
                self._dress(left[0], entered[0])
            self._frame(entered)
        finally:
            self._entering, self._shown = False, entered
        self._on_moved()
        self._drawn()

    def _set_order(self, entered: Scene) -> None:
        """Show a volume in the order of its axes: another one would mirror the head."""
        dims = self._viewer.dims
        if entered[0] == 2:
            if self._shown == VOLUME and len(self._order) == dims.ndim:
                dims.order = self._order
            self._order = tuple(dims.order)
        elif tuple(dims.order) != tuple(range(dims.ndim)):
            dims.order = tuple(range(dims.ndim))

    def _dress(self, left: int, entered: int) -> None:
        """Give the layers the look of slices or of a volume."""
        if isinstance(self._anatomy, Image):
            look = {name: getattr(self._anatomy, name) for name in ANATOMY_AS_VOLUME}
            self._looks[left] = {k: getattr(v, "value", v) for k, v in look.items()}
            for name, value in self._looks.get(entered, {}).items():
                setattr(self._anatomy, name, value)
        for layer in self._maps():
            layer.opacity = MAP_OPACITY[entered]

    def _frame(self, scene: Scene) -> None:
        """Go back to the slices and the frame of the last time; at first, fill the canvas."""
        camera, frame = self._viewer.scene.camera, self._frames.get(scene)
        if scene != VOLUME and len(self._point) == self._viewer.dims.ndim:
            self._viewer.dims.point = self._point
        if frame is not None:
            camera.center, camera.zoom = frame
            return
        if scene == VOLUME:
            camera.set_view_direction(VIEW_DIRECTION, UP)
        self._viewer.fit_to_view()
        camera.zoom *= CLOSER if scene == VOLUME else 1.0
