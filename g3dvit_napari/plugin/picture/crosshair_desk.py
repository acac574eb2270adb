"""When there is a crosshair, and a ring around the peak one has jumped to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from napari.layers import Layer
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer

from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.picture.crosshair import Crosshair, Point, is_over
from g3dvit_napari.plugin.picture.planes import SPATIAL


class CrosshairDesk(QObject):
    """Shows what its two switches say; a click on a slice takes the crosshair there.

    The ring stays at its peak until another map is shown. Side by side both are in every cell.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    controller, form
        Those of the widget.
    chosen
        Returns the layer that is chosen in the form, if any.
    jumped
        A signal that tells of the peak (z y x) one has jumped to.
    """

    def __init__(
        self,
        viewer: Any,
        controller: Controller,
        form: ExplainForm,
        chosen: Callable[[], Layer | None],
        jumped: Any,
    ) -> None:
        super().__init__()
        self._viewer, self._controller, self._chosen = viewer, controller, chosen
        self._marks = form.marks.marks
        self._crosshair: Crosshair | None = None
        self._over: Layer | None = None
        self._peak: Point | None = None
        self._map: object = None  # the raw map that the peak is of
        self._open = False
        self._later = QTimer(form)  # it goes with the switches
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._on_removed_alone)
        self._turned = QTimer(form)
        self._turned.setSingleShot(True)
        self._turned.timeout.connect(self._on_turned)
        jumped.connect(self.mark)
        form.marks.changed.connect(self._adapt)
        form.volume.volume_changed.connect(self._adapt)
        form.view.peak_requested.connect(self._on_peak_requested)
        controller.explained.connect(self._on_explained)
        controller.forgotten.connect(self._on_forgotten)
        controller.comparison.changed.connect(self._adapt)

    def attach(self) -> None:
        """Draw what is switched on, and listen to clicks and to layers that go."""
        self._open = True
        self._viewer.mouse_drag_callbacks.append(self._on_pressed)
        self._viewer.layers.events.removed.connect(self._on_layer_removed)
        self._viewer.dims.events.ndisplay.connect(self._turn)
        self._adapt()

    def detach(self) -> None:
        """Take the lines away."""
        self._open, self._peak = False, None
        self._later.stop()
        self._turned.stop()
        self._viewer.dims.events.ndisplay.disconnect(self._turn)
        self._viewer.mouse_drag_callbacks.remove(self._on_pressed)
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self._adapt()

    def mark(self, point: Point) -> None:
        """Draw the ring around a point (z y x) of the canvas."""
        self._peak = tuple(float(part) for part in point)
        self._adapt()

    def _adapt(self, *_: object) -> None:
        anatomy = self._controller.anatomy or self._chosen()
        comparison = self._controller.comparison
        alone = self._open and not comparison.shown
        peak = self._peak if self._marks["peak_mark"].isChecked() else None
        lines = self._marks["crosshair"].isChecked()
        if anatomy is not self._over or not alone:
            if self._crosshair is not None:
                self._crosshair.close()
            self._crosshair, self._over = None, None
        if comparison.shown:
            comparison.set_crosshair(self._open and lines, peak if self._open else None)
        if anatomy is None or not alone:
            return
        if self._crosshair is None:
            self._crosshair, self._over = Crosshair(self._viewer, anatomy), anatomy
        self._crosshair.show(lines, peak)

    def _on_explained(self, explanation: Explanation) -> None:
        if explanation.scaled is not self._map:
            self._map, self._peak = explanation.scaled, None
        self._adapt()

    def _on_forgotten(self) -> None:
        self._map = self._peak = None
        self._adapt()

    def _on_peak_requested(self) -> None:
        if self._controller.overlay is not None:
            self.mark(self._viewer.dims.point[-SPATIAL:])

    def _on_layer_removed(self, event: Any) -> None:
        """Take a crosshair that the user removed for one that was switched off.

        Not yet: where all layers are removed, as when the viewer closes, it only goes first.
        """
        gone = self._crosshair
        if not isalive(self._later):  # the window goes first, then its layers
            return
        if event.value is self._over:
            self._adapt()
        elif gone is not None and is_over(event.value, gone.anatomy_id) and not gone.removing:
            gone.show(False, None)
            self._peak = None
            self._later.start()

    def _on_removed_alone(self) -> None:
        if self._over is not None and self._over in self._viewer.layers:
            self._marks["crosshair"].setChecked(False)
        self._adapt()

    def _turn(self, event: object = None) -> None:
        del event
        if isalive(self._turned):
            self._turned.start()

    def _on_turned(self) -> None:
        """Draw anew once napari has come from the volume back to the slices, or the reverse."""
        if self._crosshair is not None:
            self._crosshair.renew()

    def _on_pressed(self, viewer: Any, event: Any) -> Iterator[None]:
        """Go where one clicked on a slice, unless the mouse was dragged or a tool is in hand."""
        layer = viewer.layers.selection.active
        tool = getattr(layer, "mode", "pan_zoom") != "pan_zoom"
        there = self._crosshair is not None or self._controller.comparison.shown
        flat = len(event.dims_displayed) == 2
        if tool or not flat or not there or not self._marks["crosshair"].isChecked():
            return
        yield
        if event.type == "mouse_release":
            point, displayed = event.position, list(event.dims_displayed)
            viewer.dims.set_point(displayed, [point[axis] for axis in displayed])
