"""Keeps the bars true: asks the network by itself, and follows what is asked and answered."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

from g3dvit_napari.core.types import Explanation, Prediction
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.prediction.bars import PredictionBars
from g3dvit_napari.plugin.prediction.jobs import predict


class PredictionDesk(QObject):
    """Shows the prediction as soon as a network and a volume are there.

    An explanation that is asked for meanwhile waits for this pass and goes on with it: without it,
    its first step would be the same pass.

    Parameters
    ----------
    form, controller
        Those of the widget.
    chosen
        Returns the layer that is chosen in the form, if any.
    """

    asked = Signal()  # a class was pressed: its map is wanted now

    def __init__(
        self, form: ExplainForm, controller: Controller, chosen: Callable[[], Layer | None]
    ) -> None:
        super().__init__()
        self._form, self._controller, self._chosen = form, controller, chosen
        self.bars = PredictionBars()
        form.head.addWidget(self.bars)
        lanes = controller.lanes
        self._lane = lanes.add("the prediction", self._on_predicted, told="nothing")
        self._lane.progressed.connect(self._on_progressed)
        self._lane.failed.connect(self.bars.show_note)
        self._lane.cancelled.connect(self._on_cancelled)
        controller.model_changed.connect(self._renew)
        controller.explained.connect(self._on_explained)
        form.volume.volume_changed.connect(self._renew)
        form.question.changed.connect(self._mark)
        self.bars.class_chosen.connect(self._on_class_chosen)

    def attach(self) -> None:
        """Nothing to listen to but the form and the controller, which are always heard."""

    def detach(self) -> None:
        """Let go of the volume that is being looked at; the controller lets go of the network."""
        self._lane.cancel()

    def _renew(self, *_: object) -> None:
        """Forget what was said of another volume, or by another network, and ask again."""
        model, layer = self._controller.model, self._chosen()
        self.bars.offer(model.handle.class_names if model is not None else ())
        self._mark()
        self._lane.cancel()
        if model is None:
            return
        if layer is None:
            self.bars.show_note("No volume is on show: choose one to see what the network says.")
            return
        fetch = self._controller.fetching(layer, self._form.volume.frame)
        self._lane.submit(partial(predict, model, fetch))

    def _mark(self, *_: object) -> None:
        question = self._form.question
        self.bars.choose(question.target, question.why_no_class)

    def _show(self, prediction: Prediction) -> None:
        self.bars.show_prediction(prediction)
        self._form.question.show_probabilities(prediction.probabilities, prediction.predicted)
        self._mark()

    def _on_predicted(self, prediction: Prediction) -> None:
        if self._controller.model is not None:
            self._show(prediction)

    def _on_explained(self, found: Explanation) -> None:
        """Take the prediction from an answer about the chosen volume; any other says nothing."""
        known = self.bars.prediction
        if self._controller.anatomy is self._chosen():
            self._show(found.prediction)
            self._lane.cancel()
        elif known is None:
            self._form.question.show_probabilities(None, None)
        else:
            self._form.question.show_probabilities(known.probabilities, known.predicted)

    def _on_progressed(self, fraction: float, stage: str) -> None:
        """An explanation waits for this pass: it is the pass that the user waits for."""
        if self._controller.lanes.busy:
            self._form.run.show_progress(fraction, stage)

    def _on_cancelled(self) -> None:
        stopped = self._controller.model is not None and self._chosen() is not None
        if self.bars.prediction is None and stopped:
            self.bars.show_note("Stopped; the numbers come with the next computation.")

    def _on_class_chosen(self, number: int) -> None:
        predicted = self.bars.prediction is not None and number == self.bars.prediction.predicted
        self._form.question.choose_class(None if predicted else number)
        self.asked.emit()
