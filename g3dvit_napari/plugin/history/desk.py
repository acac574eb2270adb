"""Collects results, and brings one back: its map on the canvas, its question in the form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.history.history_bar import HistoryBar
from g3dvit_napari.plugin.history.packing import is_packed, unpack
from g3dvit_napari.plugin.history.past import Past, Result


class HistoryDesk(QObject):
    """The results of one network; another network starts afresh.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    form, controller
        Those of the widget.
    """

    turned_to = Signal(object)  # the layer of the result that will be shown

    def __init__(self, viewer: Any, form: ExplainForm, controller: Controller) -> None:
        super().__init__()
        self._viewer, self._form, self._controller = viewer, form, controller
        self.past = Past()
        self.bar = HistoryBar()
        self.bar.listen_in(form)
        self._kept_elsewhere: Callable[[], bool] = lambda: False
        self._wanted: Result | None = None
        self._lane = controller.lanes.add("the history", self._on_unpacked, told="errors")
        self.bar.stepped.connect(self.step)
        controller.explained.connect(self._on_explained)
        controller.model_changed.connect(self._on_model_changed)

    def leave_out(self, kept_elsewhere: Callable[[], bool]) -> None:
        """Leave out what is shown while this is true: frames passed by would push out the rest."""
        self._kept_elsewhere = kept_elsewhere

    def attach(self) -> None:
        """Follow which layers go."""
        self._viewer.layers.events.removed.connect(self._on_removed)

    def detach(self) -> None:
        """Forget everything."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._on_model_changed()

    def step(self, by: int) -> None:
        """Show an older (-1) or newer (1) result; while a new one is computed, nothing happens."""
        result = self.past.step(by)
        if result is None or self._controller.lanes.busy:
            return
        if is_packed(result.explanation):
            self._wanted = result
            self._lane.submit(partial(unpack, result.explanation))
        else:
            self._show(result, result.explanation)

    def _on_unpacked(self, explanation: Explanation) -> None:
        result, self._wanted = self._wanted, None
        if result in self.past.results and not self._controller.lanes.busy:
            self._show(result, explanation)

    def _show(self, result: Result, explanation: Explanation) -> None:
        self.past.turn_to(result, explanation)
        self.turned_to.emit(result.layer)  # the form follows, before the map is drawn
        self._choose_frame(result)
        self._form.threshold.offer_raw(explanation.scaled.limits)
        self._form.threshold.choose(explanation.request.threshold)
        self._form.question.choose(explanation.request, explanation.predicted)
        self._controller.show(result.layer, explanation)

    def _choose_frame(self, result: Result) -> None:
        """Set the form, and the viewer's slider, to what was taken of a series."""
        self._form.volume.choose_frame("mean" if result.frame is None else "current")
        if result.frame is not None:
            at = result.layer.data_to_world((result.frame, 0, 0, 0))[0]
            self._viewer.dims.set_point(self._viewer.dims.ndim - result.layer.ndim, at)

    def _on_explained(self, explanation: Explanation) -> None:
        layer = self._controller.anatomy
        if layer is not None and not self._kept_elsewhere():
            self.past.take(Result(layer, explanation))
            self.bar.show_past(self.past)

    def _on_removed(self, event: Any) -> None:
        self.past.drop(event.value)
        self.bar.show_past(self.past)

    def _on_model_changed(self, *_: object) -> None:
        self._wanted = None
        self._lane.cancel()
        self.past.clear()
        self.bar.show_past(self.past)
