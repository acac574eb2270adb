"""The subject on show: its layers take the place of the ones before, and the picture stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari.layers import Image, Layer

from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.picture.colormaps import base_name
from g3dvit_napari.plugin.picture.layers import entry_of, role_of
from g3dvit_napari.plugin.picture.map_layers import ROLES
from g3dvit_napari.plugin.picture.notice import Notice

_LOOK = ("colormap", "gamma", "visible", "interpolation2d", "interpolation3d")
_LOOK_IN_SLICES = ("opacity", "blending")  # as a volume, the head has a look of its own


class Stage:
    """Puts one subject at a time into the viewer, and takes away only what it put there.

    Other images are hidden meanwhile: two heads in one picture cannot be told apart.
    """

    def __init__(self, viewer: Any, controller: Controller) -> None:
        self._viewer, self._controller = viewer, controller
        self.layer: Layer | None = None
        self._place: int | None = None  # of the volume among the layers
        self._view: tuple[Any, Any, float] | None = None  # slices (mm) and camera
        self._map_look: dict[str, Any] = {}
        self._hidden: list[Layer] = []
        self._notice = Notice(viewer)
        self.changing = False  # whether layers come and go just now
        viewer.layers.events.removed.connect(self._on_removed)

    def put(self, layer: Layer) -> None:
        """Show a volume where the one before was: same place in the list, slices and look."""
        self._notice.take_back()
        with self._changes():
            self._hide_others()  # first: hiding them after it came crashed the drawing
            layers = self._viewer.layers
            before = self.layer if self.layer in layers else None
            if before is not None:
                self._copy_look(before, layer)
                self._place = layers.index(before)
            # First in, then out: napari frames the picture anew when the first layer comes.
            layers.insert(len(layers) if self._place is None else self._place, layer)
            self.clear()
            self.layer, self._place = layer, layers.index(layer)
        if self._view is not None:
            self._look_at(*self._view)

    def put_nothing(self, why: str) -> None:
        """Show no head at all, nor what was said of another; say why."""
        with self._changes():
            self.clear()
            self._controller.put_down()
            self._hide_others()
        self._notice.say(why)
        self._viewer.status = "Ready"  # no voxel of another, on which the mouse was

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a subject nor a word about one."""
        return self.layer is None and not self._notice.is_said

    def leave(self) -> None:
        """Take the subject away, and show again what was hidden."""
        with self._changes():
            self.clear()
        self.give_back()

    def give_back(self) -> None:
        """Show again what was hidden."""
        self._notice.take_back()
        hidden, self._hidden = self._hidden, []
        for layer in hidden:
            if layer in self._viewer.layers:
                layer.visible = True

    def show(self, explanation: Explanation) -> None:
        """Lay a known map over the volume on show."""
        if self.layer is not None and self.layer in self._viewer.layers:
            self._controller.show(self.layer, explanation)

    def restore_look(self) -> None:
        """Give the new map the look that the user gave to the one before."""
        look, self._map_look = self._map_look, {}
        overlay = self._controller.overlay
        if not look or overlay is None or overlay.layer is None:
            return
        layer, layers = overlay.layer, self._viewer.layers
        if look["signed"] == _is_signed(layer) and look["base"] != base_name(layer.colormap):
            layer.colormap = look["base"]
        layer.opacity, layer.visible = look["opacity"], look["visible"]
        lowest = layers.index(self.layer) + 1 if self.layer in layers else 0  # never below the head
        layers.move(layers.index(layer), max(len(layers) - 1 - look["above"], lowest))

    def clear(self) -> None:
        """Take the subject on show away, with its maps."""
        layer, self.layer = self.layer, None
        if layer is None or layer not in self._viewer.layers:
            return
        dims, camera = self._viewer.dims, self._viewer.scene.camera
        self._view = tuple(dims.point)[-3:], camera.center, camera.zoom
        self._controller.end_comparison()
        self._keep_map_look(layer)
        for other in [*self._maps_over(layer), layer]:
            self._viewer.layers.remove(other)

    def let_go(self) -> None:
        """Leave the layers to the user."""
        self.give_back()
        self.layer = self._place = self._view = None
        self._map_look = {}

    def _hide_others(self) -> None:
        self._controller.end_comparison()  # or its end would show again what it had hidden
        mine = [self.layer, *(self._maps_over(self.layer) if self.layer is not None else ())]
        for other in self._viewer.layers:
            if isinstance(other, Image) and other not in mine and other.visible:
                other.visible = False
                if other not in self._hidden:
                    self._hidden.append(other)

    @contextmanager
    def _changes(self) -> Iterator[None]:
        self.changing = True
        try:
            yield
        finally:
            self.changing = False

    def _on_removed(self, event: Any) -> None:
        """The user took the subject away: its maps go, the others come back."""
        if event.value is self.layer:
            for other in self._maps_over(event.value):
                self._viewer.layers.remove(other)
            self.give_back()

    def _look_at(self, point: Any, centre: Any, zoom: float) -> None:
        dims, camera = self._viewer.dims, self._viewer.scene.camera
        dims.set_point(range(dims.ndim - 3, dims.ndim), point)
        camera.center, camera.zoom = centre, zoom

    def _maps_over(self, layer: Layer) -> list[Layer]:
        mine = str(layer.unique_id)
        return [
            other
            for other in self._viewer.layers
            if role_of(other) in ROLES.values() and entry_of(other).get("anatomy") == mine
        ]

    def _keep_map_look(self, layer: Layer) -> None:
        overlay = self._controller.overlay
        found = overlay.layer if overlay is not None else None
        if found is None or found not in self._maps_over(layer):
            return
        above = self._viewer.layers[self._viewer.layers.index(found) + 1 :]
        lasting = [
            other for other in above if role_of(other) in ("", "volume")
        ]  # no marks, contours
        self._map_look = {
            "base": base_name(found.colormap),
            "signed": _is_signed(found),
            "opacity": found.opacity,
            "visible": found.visible,
            "above": len(lasting),
        }

    def _copy_look(self, before: Layer, layer: Layer) -> None:
        if not isinstance(before, Image) or not isinstance(layer, Image):
            return
        slices = int(self._viewer.dims.ndisplay) == 2
        for name in (*_LOOK, *(_LOOK_IN_SLICES if slices else ())):
            setattr(layer, name, getattr(before, name))


def _is_signed(layer: Image) -> bool:
    return bool(layer.contrast_limits[0] < 0)
