"""What stands behind the controls of the view: one at a time, and nothing stays of the last."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from napari.layers import Image
from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QWidget

from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.picture.cut_away import CutAway
from g3dvit_napari.plugin.picture.looks_box import KEYS, NO_MAP, NOT_BESIDE, LooksBox
from g3dvit_napari.plugin.picture.planes import plane_of, show_plane
from g3dvit_napari.plugin.picture.slab import Slab
from g3dvit_napari.plugin.picture.turntable import Turntable
from g3dvit_napari.plugin.remembered import keep
from g3dvit_napari.plugin.settings import Settings

View = Literal["slices", "slab", "volume", "cut_away"]
SOLID: tuple[View, ...] = ("volume", "cut_away")


class LooksDesk(QObject):
    """Shows planes and views, and follows napari's own buttons for them.

    Their keys work in the whole window for as long as `form` is in sight.
    """

    def __init__(self, viewer: Any, controller: Controller, box: LooksBox, form: QWidget) -> None:
        super().__init__()
        self._viewer, self._controller, self._box = viewer, controller, box
        self.view: View = "slices"
        self._slab: Slab | None = None
        self._cut: CutAway | None = None
        self.turntable = Turntable(viewer, box)
        self.turntable.turning.connect(box.show_turning)
        box.plane_chosen.connect(self.show_plane)
        box.view_chosen.connect(self.show)
        box.thickness_changed.connect(self._on_thickness_changed)
        box.cut_changed.connect(self._on_cut_changed)
        box.turn_requested.connect(self._on_turn_requested)
        box.pace_changed.connect(self._on_pace_changed)
        controller.explained.connect(self._on_explained)
        controller.forgotten.connect(self._on_forgotten)
        controller.comparison.changed.connect(self._on_compared)
        for keys, name in KEYS.items():
            shortcut = QShortcut(QKeySequence(keys), form)
            shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
            shortcut.activated.connect(partial(box.press, name))
        self._offer()

    def attach(self) -> None:
        """Follow the viewer."""
        dims = self._viewer.dims.events
        dims.ndisplay.connect(self._on_ndisplay_changed)
        dims.order.connect(self._on_order_changed)
        self._viewer.layers.events.inserted.connect(self._on_layer_added)
        self._on_ndisplay_changed()
        self._on_order_changed()

    def detach(self) -> None:
        """Take back what was changed in layers and slices, and stop following the viewer."""
        dims = self._viewer.dims.events
        dims.ndisplay.disconnect(self._on_ndisplay_changed)
        dims.order.disconnect(self._on_order_changed)
        self._viewer.layers.events.inserted.disconnect(self._on_layer_added)
        self._leave()

    def recall(self, settings: Settings) -> None:
        """Set slab, cut and turntable as they were left, and remember them from now on."""
        box = self._box
        keep(settings, "looks", {"thickness": box.thickness, "pace": box.pace})
        keep(settings, "looks", {"cut_off": box.side, "depth": box.depth})

    def show_plane(self, plane: str) -> None:
        """Show slices, or a slab, in another plane."""
        if self.view in SOLID:
            self.show("slices")
        show_plane(self._viewer, plane)  # type: ignore[arg-type]

    def show(self, view: View) -> None:
        """Show slices, a slab, the volume or the cut-away; take back what the last one changed."""
        if view == self.view and self._is_up():
            return
        self._lower()
        self.view = view
        self._viewer.dims.ndisplay = 3 if view in SOLID else 2
        if view not in SOLID:
            self.turntable.stop()
        self._raise()
        self._box.show_view(view)

    def _is_up(self) -> bool:
        return {"slab": self._slab, "cut_away": self._cut}.get(self.view, self) is not None

    def _raise(self) -> None:
        overlay, anatomy = self._controller.overlay, self._controller.anatomy
        if overlay is None or anatomy is None:
            return
        if self.view == "slab":
            self._slab = Slab(self._viewer, anatomy, overlay.layers, overlay.unit_mm)
            self._slab.set_thickness(self._box.thickness.value())
        elif self.view == "cut_away" and isinstance(anatomy, Image):
            self._cut = CutAway(self._viewer, anatomy, overlay.unit_mm[0])
            self._cut.cut(self._box.side.value(), self._box.depth.value())

    def _lower(self) -> None:
        if self._slab is not None:
            self._slab.close()
        if self._cut is not None:
            self._cut.close()
        self._slab = self._cut = None

    def _leave(self) -> None:
        """Show what napari shows of its own: slices or a volume."""
        self.turntable.stop()
        self._lower()
        self.view = "volume" if int(self._viewer.dims.ndisplay) == 3 else "slices"
        self._box.show_view(self.view)

    def _offer(self) -> None:
        reason = NOT_BESIDE if self._controller.comparison.shown else ""
        self._box.offer(reason or ("" if self._controller.overlay else NO_MAP))

    def _on_ndisplay_changed(self, event: object = None) -> None:
        del event
        solid = int(self._viewer.dims.ndisplay) == 3
        if solid != (self.view in SOLID):
            self.show("volume" if solid else "slices")

    def _on_order_changed(self, event: object = None) -> None:
        del event
        if int(self._viewer.dims.ndisplay) == 2:
            self._box.show_plane(plane_of(self._viewer.dims.order))

    def _on_layer_added(self, event: object = None) -> None:
        del event
        if self._slab is not None:
            self._slab.include_new()

    def _on_explained(self, _explanation: object) -> None:
        self._offer()
        if self._slab is not None:
            self._slab.include_new()

    def _on_forgotten(self) -> None:
        self._leave()
        self._offer()

    def _on_compared(self, shown: bool) -> None:
        if shown:
            self._leave()
        self._offer()

    def _on_thickness_changed(self, millimetres: float) -> None:
        if self._slab is not None:
            self._slab.set_thickness(millimetres)

    def _on_cut_changed(self, side: Any, depth_mm: float) -> None:
        if self._cut is not None:
            self._cut.cut(side, depth_mm)

    def _on_turn_requested(self, on: bool) -> None:
        if on:
            self.turntable.start()
        else:
            self.turntable.stop()

    def _on_pace_changed(self, seconds: float) -> None:
        self.turntable.seconds = seconds
