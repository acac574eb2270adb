"""The plugin's only mutable state: the model, the running jobs, the last explanation.

It knows the viewer but no widget: what happened is told by signals. All work is done in lanes
outside the GUI thread; layers are touched only here, in the GUI thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from napari.layers import Layer
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal
from superqt.utils import qthrottled

from g3dvit_napari.core.types import Explanation, ExplanationRequest, Threshold, Volume
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.answers import Answers
from g3dvit_napari.plugin.comparing.jobs import Compared, compare
from g3dvit_napari.plugin.comparing.kinds import Plan
from g3dvit_napari.plugin.comparing.side_by_side import SideBySide
from g3dvit_napari.plugin.lanes import Lanes
from g3dvit_napari.plugin.picture.overlay import Overlay

PREVIEW_MS = {2: 33, 3: 80}  # between two live cuts; a volume takes longer to draw


class Controller(QObject):
    """Does what the form asks for."""

    model_changed = Signal(object)  # LoadedModel, or None while there is none
    volume_opened = Signal(object)  # the layer
    explained = Signal(object)  # Explanation: a new one, or the one shown cut elsewhere
    cut_moved = Signal(object)  # where the gate now cuts the scaled map (None: nowhere)
    forgotten = Signal()  # there is no map any more
    saved = Signal(object)  # list of Path
    failed = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self.model: jobs.LoadedModel | None = None
        self.explanation: Explanation | None = None
        self._memo = jobs.VolumeMemo()
        self.overlay: Overlay | None = None
        self.anatomy: Layer | None = None
        self._asked: tuple[Layer, jobs.Inquiry] | None = None
        self.comparison = SideBySide(viewer)
        self._answers = Answers()
        self._next: jobs.Inquiry | None = None  # whose other classes are fetched when all is quiet
        self._display: dict[str, Any] = {}
        lanes = self.lanes = Lanes()
        self._models = lanes.add("loading the model", self._on_model_loaded)
        self._models.failed.connect(self._on_model_failed)
        self._volumes = lanes.add("reading the volume", self._on_volume_read)
        self._explanations = lanes.add("the explanation", self._on_explained)
        self._comparisons = lanes.add("the comparison", self._on_compared)
        self._files = lanes.add("saving", self.saved.emit)
        self._pictures = lanes.add("the threshold", self._on_cut, told="errors")
        self._ahead = lanes.add("the look ahead", None, told="nothing")
        lanes.failed.connect(self._on_failed)
        lanes.busy_changed.connect(self._on_busy_changed)
        self._preview = qthrottled(self._cut_now, timeout=PREVIEW_MS[2])
        viewer.layers.events.removed.connect(self._on_layer_removed)

    def load_model(self, path: str, spec: str = "", device: str = "auto") -> None:
        """Load a checkpoint; the present model goes when the new one has come or has failed."""
        self.end_comparison()
        self._explanations.cancel()
        self._asked = None
        self.stop_looking_ahead()
        self._models.submit(partial(jobs.load_model, path, spec, device))

    def open_volume(self, path: str) -> None:
        """Read a file and add it to the viewer."""
        self._volumes.submit(partial(jobs.read_layers, path))

    def explain(self, layer: Layer, frame: str, request: ExplanationRequest) -> None:
        """Explain the volume of a layer with the present model."""
        if self.model is None:
            return
        self.end_comparison()
        inquiry = self._inquire(self.model, layer, frame, request)
        self._explanations.submit(partial(jobs.explain, inquiry, self._answers))

    def show(self, layer: Layer, explanation: Explanation) -> None:
        """Lay an explanation of a layer's volume over it; no network is needed."""
        self.end_comparison()
        self._pictures.cancel()  # a cut of what was shown before
        self._preview.cancel()
        new = self.anatomy is not layer
        overlay = self._overlay_over(layer)
        self.explanation = explanation
        overlay.show(explanation)
        if new:
            self._viewer.layers.selection.active = layer
        self.explained.emit(explanation)

    def compare(self, layer: Layer, frame: str, request: ExplanationRequest, plan: Plan) -> None:
        """Explain the volume of a layer in several ways and show them side by side."""
        if self.model is None:
            return
        self._explanations.cancel()
        inquiry = self._inquire(self.model, layer, frame, request)
        self._comparisons.submit(partial(compare, inquiry, plan))

    def end_comparison(self) -> None:
        """Show one map again, and stop a comparison that is on its way."""
        self._comparisons.cancel()
        self.comparison.end()

    def _inquire(
        self, model: jobs.LoadedModel, layer: Layer, frame: str, request: ExplanationRequest
    ) -> jobs.Inquiry:
        """Make way for a request, and return it."""
        self._pictures.cancel()
        self.stop_looking_ahead()
        when = jobs.when(layer, self._chosen(layer, frame))
        inquiry = jobs.Inquiry(model, self.fetching(layer, frame), request, when)
        self._asked = layer, inquiry
        return inquiry

    def fetching(self, layer: Layer, frame: str) -> Callable[[], Volume]:
        """Return what fetches the volume of a layer, or the "current" frame of a series."""
        return partial(self._memo.volume, layer, self._chosen(layer, frame))

    def _chosen(self, layer: Layer, frame: str) -> jobs.Frame:
        return self.frame_index(layer) if frame == "current" and layer.ndim > 3 else "mean"

    def stop_looking_ahead(self) -> None:
        """Fetch no further classes of what is shown: something else matters now."""
        self._next = None
        self._ahead.cancel()

    def preview(self, threshold: Threshold) -> None:
        """Move the gate on the map at once; at most one move per frame of the screen.

        Otsu's rule takes longer than a frame to find its cut: it waits for `settle`.
        """
        if threshold.kind == "otsu":
            return
        self._preview.setTimeout(PREVIEW_MS[int(self._viewer.dims.ndisplay)])
        self._preview(threshold)

    def settle(self, threshold: Threshold) -> None:
        """Show the map exactly as this threshold makes it."""
        self.comparison.set_threshold(threshold)
        if self.explanation is not None and not self._explanations.busy:
            self._pictures.submit(partial(jobs.rethreshold, self.explanation, threshold))

    def set_display(self, name: str, value: Any) -> None:
        """Set one of the overlay's `SETTINGS`; remembered for the next map."""
        self._display[name] = value
        if name == "edge":
            self.comparison.set_edge(value)
        if self.overlay is not None:
            getattr(self.overlay, f"set_{name}")(value)

    def jump_to_peak(self) -> None:
        """Move the slices to the strongest place of the map."""
        if self.overlay is not None:
            self.overlay.jump_to_peak()

    def put_down(self) -> None:
        """Let go of the map on show, with all that is written around it; its layers stay."""
        self.end_comparison()
        self._preview.cancel()
        self._drop_overlay()

    def save(self, folder: str) -> None:
        """Write the last explanation."""
        if self.explanation is not None:
            self._files.submit(partial(jobs.save, self.explanation, folder))

    def cancel(self) -> None:
        """Stop what the user waits for, and what nobody waits for, too."""
        self._next = self._asked = None
        self.lanes.cancel()

    def release(self) -> None:
        """Stop everything and let go of the network and the map; the layers stay."""
        self.cancel()
        self.put_down()
        self._forget()
        if self.model is not None:
            self.model = None
            self.model_changed.emit(None)

    def close(self) -> None:
        """Stop for good when the window has gone: plain attributes alone, Qt may be gone too."""
        self.lanes.close()
        self.overlay = self.anatomy = self._asked = self.explanation = self.model = None
        self.comparison.forget()
        self._forget()

    def frame_index(self, layer: Layer) -> int:
        """Return which frame of a series the viewer's slider shows."""
        point = self._viewer.dims.point[-layer.ndim :]
        index = round(float(layer.world_to_data(point)[0]))
        return min(max(index, 0), layer.data.shape[0] - 1)

    def _cut_now(self, threshold: Threshold) -> None:
        if self.comparison.shown:
            self.comparison.set_threshold(threshold)
        elif self.overlay is not None and self.explanation is not None:
            cut = self.explanation.scaled.cut(threshold)
            self.overlay.set_cut(cut)
            self.cut_moved.emit(cut)

    def _forget(self) -> None:
        """Let go of volumes, networks and answers that were kept for the next question."""
        self._next, self._memo, self._answers = None, jobs.VolumeMemo(), Answers()

    def _on_model_loaded(self, model: jobs.LoadedModel) -> None:
        self.model = model
        self._forget()
        self.model_changed.emit(model)

    def _on_model_failed(self, _message: str) -> None:
        """Have no model rather than another one than the form names."""
        self.model = None
        self._forget()
        self.model_changed.emit(None)

    def _on_volume_read(self, layers: list[tuple[Any, ...]]) -> None:
        for data in layers:
            layer = self._viewer.add_layer(Layer.create(*data))
            self.volume_opened.emit(layer)

    def _on_explained(self, explanation: Explanation) -> None:
        asked, self._asked = self._asked, None
        if asked is None or asked[0] not in self._viewer.layers:
            self._forget()
            self._on_failed("The volume was removed meanwhile; choose another and compute again.")
            return
        layer, inquiry = asked
        self._next = inquiry if inquiry.looks_ahead else None
        self.show(layer, explanation)

    def _on_compared(self, compared: Compared) -> None:
        asked, self._asked = self._asked, None
        if asked is None or asked[0] not in self._viewer.layers:
            self._on_failed("The volume was removed meanwhile; choose another and compare again.")
            return
        layer, inquiry = asked
        overlay = self._overlay_over(layer)
        self.comparison.show(layer, compared, inquiry.request.threshold, overlay)

    def _overlay_over(self, layer: Layer) -> Overlay:
        """Return the overlay of a layer's volume, putting up one where there is none."""
        if self.overlay is None or self.anatomy is not layer:
            self._drop_overlay()
            self.anatomy, self.overlay = layer, Overlay(self._viewer, layer)
            for name, value in self._display.items():
                getattr(self.overlay, f"set_{name}")(value)
        return self.overlay

    def _on_cut(self, explanation: Explanation) -> None:
        if self.overlay is None or self.explanation is None:
            return
        self._preview.cancel()
        self.explanation = explanation
        self.overlay.recut(explanation)
        self.explained.emit(explanation)

    def _on_failed(self, message: str) -> None:
        show_error(message)
        self.failed.emit(message)

    def _on_busy_changed(self, _busy: bool) -> None:
        if self._next is not None and not self.lanes.busy:
            self._ahead.submit(partial(jobs.look_ahead, self._next, self._answers))
            self._next = None

    def _on_layer_removed(self, event: Any) -> None:
        self.comparison.lost(event.value)
        if event.value is self.anatomy:
            self.stop_looking_ahead()
            self._drop_overlay()
            self._forget()

    def _drop_overlay(self) -> None:
        if self.overlay is None:
            return
        self.overlay.close()
        self.overlay = self.anatomy = self.explanation = None
        self.forgotten.emit()
