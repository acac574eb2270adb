"""The dock widget: a form, a controller, and the wires between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from napari.layers import Layer
from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QFileDialog, QSizePolicy, QVBoxLayout, QWidget

from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.plugin.asking.chosen import chosen_layer, explainable
from g3dvit_napari.plugin.asking.device_watch import DeviceWatch
from g3dvit_napari.plugin.asking.first_steps import Welcome
from g3dvit_napari.plugin.comparing.desk import CompareDesk
from g3dvit_napari.plugin.comparing.kinds import Plan
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.export.desk import ExportDesk
from g3dvit_napari.plugin.following import Following
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.history.desk import HistoryDesk
from g3dvit_napari.plugin.jobs import LoadedModel
from g3dvit_napari.plugin.judging.desk import open_judging
from g3dvit_napari.plugin.leftovers import clear_away_soon
from g3dvit_napari.plugin.picture.crosshair_desk import CrosshairDesk
from g3dvit_napari.plugin.picture.graphics import CanvasContext
from g3dvit_napari.plugin.picture.layers import entry_of
from g3dvit_napari.plugin.picture.looks_desk import LooksDesk
from g3dvit_napari.plugin.picture.overlay import SETTINGS
from g3dvit_napari.plugin.picture.sides_desk import SidesDesk
from g3dvit_napari.plugin.places.desk import open_places
from g3dvit_napari.plugin.prediction.desk import PredictionDesk
from g3dvit_napari.plugin.recall import recall, remember
from g3dvit_napari.plugin.series.desk import SeriesDesk
from g3dvit_napari.plugin.settings import PLUGIN, Settings
from g3dvit_napari.plugin.subjects.desk import SubjectDesk
from g3dvit_napari.plugin.threshold.desk import TuningDesk

if TYPE_CHECKING:
    import napari.viewer

TITLE = "Explain a 3D ViT"


class Feature(Protocol):
    """A page and what stands behind it; it listens to the viewer while the dock is open."""

    def attach(self) -> None:
        """Start listening to the viewer."""

    def detach(self) -> None:
        """Stop listening, and let go of volumes and maps; layers stay."""


class ExplainWidget(QWidget):
    """Explain what a 3D Vision Transformer saw in a volume."""

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._settings = Settings()
        self._attached = False
        self.form = ExplainForm()
        self.controller = Controller(viewer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        recall(self.form, self._settings)
        for name, value in (self.form.view.values() | self.form.marks.values()).items():
            self._show_setting(name, value)
        self._wire_requests()
        self._wire_answers()
        self.features = self._open_features(viewer)
        self._attach()
        self.destroyed.connect(partial(Controller.close, self.controller))

    def _open_features(self, viewer: Any) -> tuple[Feature, ...]:
        """Put up the pages, and wire those that know of each other."""
        # What the widget holds must not hold it: in a circle, any may be taken apart first.
        chosen = partial(chosen_layer, viewer, self.form.volume)
        self._following = Following(self.form, self.controller, chosen)
        self._following.due.connect(self.compute)
        prediction = self.prediction = PredictionDesk(self.form, self.controller, chosen)
        history = self.history = HistoryDesk(viewer, self.form, self.controller)
        history.turned_to.connect(self._turn_to)
        self.looks = LooksDesk(viewer, self.controller, self.form.looks, self.form)
        self.export = ExportDesk(viewer, self.controller, self.form.export)
        prediction.bars.header.addWidget(history.bar)
        prediction.asked.connect(self._following.press)
        welcome = Welcome(self.form, self.controller, self._settings)
        watch = DeviceWatch(self.form, self.controller)
        sides = SidesDesk(viewer, self.controller, self.form, chosen)
        places = open_places(viewer, self.controller, self.form)
        crosshair = CrosshairDesk(viewer, self.controller, self.form, chosen, places.jumped)
        compare = CompareDesk(self.controller, self.form.compare, self.form.difference)
        tuning = TuningDesk(viewer, self.controller, self.form.threshold)
        asked = (prediction, tuning, history)
        series = SeriesDesk(viewer, self.controller, self.form)
        history.leave_out(series.browses)
        compare.recall(self._settings)
        self.looks.recall(self._settings)
        self.export.recall(self._settings)
        series.recall(self._settings)
        places.recall(self._settings)
        places.files_changed.connect(series.view.regions.take_atlases)
        judging = open_judging(viewer, self.controller, self.form)
        pages = (*asked, compare, judging, self.looks, self.export, places, series)
        self.subjects = SubjectDesk(viewer, self.controller, self.form, self._settings)
        context = CanvasContext(viewer, self.form)
        return (*pages, sides, crosshair, welcome, watch, self.subjects, context)

    def load_checkpoint(self, path: str, spec: str | None = None) -> None:
        """Load a checkpoint as if it had been chosen in the form."""
        self.form.model.ask_for(str(path), spec)

    def choose_layer(self, layer: Layer) -> None:
        """Choose the volume to explain."""
        self._offer_layers(str(layer.unique_id))

    def compute(self) -> None:
        """Explain what the form asks for; nothing happens while something is missing."""
        layer = self._layer()
        if layer is not None and self.controller.model is not None:
            self._following.note_question()
            self.controller.explain(layer, self.form.volume.frame, self.form.request())

    def event(self, event: QEvent) -> bool:
        """Let go of network and map when the dock is closed; that is all a closed dock tells."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self._detach()
            else:
                self._attach()
        return bool(super().event(event))

    def _wire_requests(self) -> None:
        form, controller = self.form, self.controller
        form.model.model_requested.connect(controller.load_model)
        form.volume.file_requested.connect(controller.open_volume)
        form.volume.volume_changed.connect(self._on_volume_changed)
        form.question.method_changed.connect(self._on_method_changed)
        form.threshold.moved.connect(controller.preview)
        form.threshold.settled.connect(self._on_threshold_settled)
        form.compare.compare_requested.connect(self._on_compare_requested)
        form.compare.end_requested.connect(controller.end_comparison)
        form.view.changed.connect(self._on_view_changed)
        form.marks.changed.connect(self._on_view_changed)
        form.view.peak_requested.connect(controller.jump_to_peak)
        form.view.save_requested.connect(self._on_save_requested)
        form.explain_requested.connect(self.compute)
        form.run.cancel_requested.connect(controller.cancel)
        form.refused.connect(show_warning)

    def _wire_answers(self) -> None:
        form, controller = self.form, self.controller
        controller.model_changed.connect(self._on_model_changed)
        controller.volume_opened.connect(self.choose_layer)
        controller.explained.connect(self._on_explained)
        controller.forgotten.connect(self._on_forgotten)
        controller.saved.connect(self._on_saved)
        controller.failed.connect(self._on_failed)
        controller.lanes.cancelled.connect(self._on_cancelled)
        controller.lanes.progressed.connect(form.run.show_progress)
        controller.lanes.busy_changed.connect(form.run.show_busy)

    def _layer_events(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.reordered, events.renamed

    def _attach(self) -> None:
        if self._attached:
            return
        self._attached = True
        for event in self._layer_events():
            event.connect(self._on_layers_changed)
        self._offer_layers()
        for feature in self.features:
            feature.attach()

    def _detach(self) -> None:
        if not self._attached:
            return
        self._attached = False
        for event in self._layer_events():
            event.disconnect(self._on_layers_changed)
        self._following.stop()
        for feature in self.features:
            feature.detach()
        self.controller.release()
        clear_away_soon()

    def _layer(self) -> Layer | None:
        return chosen_layer(self._viewer, self.form.volume)

    def _offer_layers(self, chosen: str | None = None) -> None:
        volumes = explainable(self._viewer)
        self.form.volume.offer_layers({key: v.name for key, v in volumes.items()}, chosen)
        self._adapt()

    def _adapt(self) -> None:
        """Say what is still missing before anything can be computed."""
        missing = []
        if self.controller.model is None:
            missing.append("a checkpoint")
        if self._layer() is None:
            missing.append("a volume")
        reason = f"Choose {' and '.join(missing)} first." if missing else ""
        self.form.run.show_reason(reason)
        self.form.compare.show_reason(reason)

    def _on_layers_changed(self, _event: object = None) -> None:
        self._offer_layers()

    def _on_volume_changed(self) -> None:
        layer = self._layer()
        self.controller.stop_looking_ahead()
        self.form.volume.show_series(layer.data.shape[0] if layer and layer.ndim == 4 else 0)
        source = entry_of(layer).get("source") if layer is not None else None
        self.form.volume.show_remark("\n".join(source.warnings) if source is not None else "")
        self.form.question.show_probabilities(None, None)
        self._adapt()

    def _turn_to(self, layer: Layer) -> None:
        """Choose the volume of an earlier result; what was about to be computed is not any more."""
        self._following.stop()
        if self._layer() is not layer:
            self.choose_layer(layer)

    def _on_compare_requested(self, plan: Plan) -> None:
        layer = self._layer()
        self._following.stop()
        if layer is not None:
            request = self.form.request()
            self.controller.compare(layer, self.form.volume.frame, request, plan)

    def _on_method_changed(self) -> None:
        """Cut where the chosen method is cut by default: the published one on patches."""
        entry = self.form.question.entry
        self.form.compare.show_method(entry)
        if entry is not None:
            self.form.threshold.propose(entry.keep_stage)

    def _on_threshold_settled(self, threshold: Threshold) -> None:
        self.controller.settle(threshold)
        self._remember()

    def _on_view_changed(self, name: str, value: Any) -> None:
        self._show_setting(name, value)
        self._remember()

    def _show_setting(self, name: str, value: Any) -> None:
        """Tell the overlay what is its affair; sides and crosshair have desks of their own."""
        if name in SETTINGS:
            self.controller.set_display(name, value)

    def _on_save_requested(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self, "Save the explanation in", self.form.volume.folder
        )
        if folder:
            self.controller.save(folder)

    def _on_model_changed(self, model: LoadedModel | None) -> None:
        self.form.show_model(model)
        self._adapt()
        self._remember()

    def _on_explained(self, explanation: Explanation) -> None:
        self.form.show_explanation(explanation)
        self._remember()

    def _on_forgotten(self) -> None:
        self.form.view.offer_map(False)
        self.form.run.show_result("")

    def _on_saved(self, paths: list[Any]) -> None:
        show_info(f"Saved {len(paths)} files in {paths[-1].parent}")

    def _on_failed(self, message: str) -> None:
        self.form.run.show_result("", message, failed=True)

    def _on_cancelled(self) -> None:
        self.form.run.show_result("", "Cancelled; nothing was changed.")

    def _remember(self) -> None:
        remember(self.form, self._settings)


def open_form(viewer: Any) -> ExplainWidget:
    """Return the docked form of a viewer's window, docking one where there is none."""
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, TITLE)
    dock.show()
    return widget
