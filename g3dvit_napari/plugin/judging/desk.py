"""Stands behind the page of truth: asks, keeps what came, and knows what it is of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from weakref import ref

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, QTimer

from g3dvit_napari.core.registry import MetricEntry
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.controls.page import Page
from g3dvit_napari.plugin.jobs import title_of
from g3dvit_napari.plugin.judging import jobs, offers
from g3dvit_napari.plugin.judging.ask_box import NOTHING, AskBox
from g3dvit_napari.plugin.judging.cost import Cost
from g3dvit_napari.plugin.judging.random_box import RandomBox
from g3dvit_napari.plugin.judging.score_box import ScoreBox
from g3dvit_napari.plugin.judging.second_look import SecondLook
from g3dvit_napari.plugin.judging.standing import Question, is_by, question_of, stale
from g3dvit_napari.plugin.picture.layers import grid_over
from g3dvit_napari.plugin.places.labels_layers import labels_in
from g3dvit_napari.summaries.verdict import NOT_YET, verdict_of

TITLE = "True?"
_NO_MODEL = "Load a checkpoint first."
_OTHER_NETWORK = "The map on show is of another network; compute it anew."
_RUNNING = "The checks are running; Cancel below stops them."
_PATIENCE_MS = 250  # between two counts of passes while ticks change


def _nobody() -> None:
    """Return the network behind no map."""


def open_judging(viewer: Any, controller: Controller, form: Any) -> JudgeDesk:
    """Add the page of truth to a form, and return what stands behind it."""
    boxes = AskBox(), ScoreBox(), RandomBox()
    form.add_page(TITLE, "Is it true? Checks of the map on show, beside chance.", Page(*boxes))
    return JudgeDesk(viewer, controller, boxes)


class JudgeDesk(QObject):
    """Stands behind the page of truth."""

    def __init__(
        self, viewer: Any, controller: Controller, boxes: tuple[AskBox, ScoreBox, RandomBox]
    ) -> None:
        super().__init__()
        self._viewer, self._controller = viewer, controller
        self._ask, self._scores, random = boxes
        self._judged: jobs.Judged | None = None
        self._asked: tuple[Question, Any] | None = None  # what the scores are of, and its layer
        self._maker: tuple[Any, Any] = (None, _nobody)  # prediction on show, whose it is (weak)
        self._cost = Cost()
        self._metrics: Mapping[str, MetricEntry] = {}  # none until they are known
        self._offered: tuple[Any, ...] = ()  # for what the lists were made
        lanes = controller.lanes
        self._trials = lanes.add("the checks", self._on_judged)
        self._known = lanes.add("the checks on offer", self._on_known, told="errors")
        self._counts = lanes.add("the number of passes", self._on_counted, told="nothing")
        self._files = lanes.add("saving the scores", self._on_saved)
        self._second = SecondLook(controller, random, self)
        self._due = QTimer(self._ask)  # and goes with the page
        self._due.setSingleShot(True)
        self._due.setInterval(_PATIENCE_MS)
        self._due.timeout.connect(self._count)
        self._wire()

    def _wire(self) -> None:
        controller = self._controller
        controller.explained.connect(self._on_explained)
        controller.forgotten.connect(self._on_forgotten)
        controller.model_changed.connect(self._on_model_changed)
        self._trials.busy_changed.connect(self._on_busy_changed)
        self._ask.asked.connect(self.judge)
        self._ask.changed.connect(self._on_ask_changed)
        self._ask.came_in_sight.connect(self._due.start)
        self._scores.method_chosen.connect(self._on_method_chosen)
        self._scores.save_requested.connect(self._on_save_requested)

    def attach(self) -> None:
        """Offer checks, and layers of labels as masks."""
        for event in self._layer_events():
            event.connect(self._on_layers_changed)
        self._on_layers_changed()
        if not self._metrics:
            self._known.submit(jobs.known_metrics)
        self._offer()

    def detach(self) -> None:
        """Stop, and let go of scores, maps and masks."""
        for event in self._layer_events():
            event.disconnect(self._on_layers_changed)
        self._drop()
        self._ask.truth.forget()
        self._ask.brain.forget()

    def judge(self) -> None:
        """Run the ticked checks on the map on show."""
        trial, layer = self._trial(), self._controller.anatomy
        if trial is not None:
            self._asked = question_of(trial.explanation, layer, trial.model), layer
            self._trials.submit(partial(jobs.judge, trial))

    def _layer_events(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.renamed

    def _trial(self) -> jobs.Trial | None:
        """Return what is asked now; None while something is missing."""
        model, explanation = self._controller.model, self._controller.explanation
        if model is None or explanation is None or self._reason():
            return None
        return jobs.Trial(
            model,
            explanation,
            self._ask.methods.ticked,
            self._ask.metrics.ticked,
            self._mask(self._ask.truth.key),
            self._mask(self._ask.brain.key),
        )

    def _on_known(self, metrics: Mapping[str, MetricEntry]) -> None:
        self._metrics = metrics
        self._offer()

    def _mask(self, key: str) -> jobs.Mask:
        """Return what reads a mask later: a file, or a layer as it is painted then."""
        if not key:
            return None
        layer = labels_in(self._viewer).get(key)
        if layer is None:
            return partial(jobs.read_mask, key)
        explanation, anatomy = self._controller.explanation, self._controller.anatomy
        known = explanation is not None and anatomy is not None
        grid = grid_over(anatomy, explanation.relevance) if known else None  # type: ignore[union-attr]
        return partial(jobs.painted, layer, grid)

    def _reason(self) -> str:
        """Return why the map on show cannot be judged; empty: it can."""
        controller = self._controller
        if controller.model is None:
            return _NO_MODEL
        if controller.explanation is None or controller.anatomy is None:
            return NOTHING
        by = self._maker[1]() is controller.model and is_by(
            controller.explanation, controller.model
        )
        return "" if by else _OTHER_NETWORK

    def _offer(self) -> None:
        """Offer what can be asked of this map with these masks."""
        ask, model = self._ask, self._controller.model
        shown = self._controller.explanation
        method = "" if shown is None else shown.request.method
        given = [name for name in ("truth", "brain") if getattr(ask, name).key]
        masks = [*given, *(["valid"] if "brain" in given else [])]
        offered = tuple(masks), method, model, len(self._metrics)
        if offered != self._offered:
            self._offered = offered
            others = () if model is None else offers.methods(model.entries, model.reasons, method)
            ask.offer(offers.checks(self._metrics, masks), tuple(others))
        ask.show_ticked(title_of(method) if method else "")
        reason = self._reason()
        ask.show_reason(reason or (_RUNNING if self._trials.busy else ""))
        self._second.show_reason(reason)
        self._due.start()

    def _count(self) -> None:
        """Count the passes of what is ticked, while anybody looks."""
        trial = self._trial()
        if trial is None or not trial.metrics:
            self._ask.show_cost("")
        elif trial.cost == self._cost.of:
            self._ask.show_cost(self._cost.words(title_of))
        elif self._ask.isVisible() and not self._trials.busy:
            self._cost.of = None
            self._counts.submit(partial(jobs.passes, trial))

    def _show(self) -> None:
        """Show the verdict on the method that is looked at, if it is of the map on show."""
        judged, standing = self._judged, ""
        if judged is None:
            self._ask.show_verdict(NOT_YET)
            return
        names = [one.explanation.request.method for one in judged.judgements]
        one = judged.judgements[names.index(self._scores.method) if self._scores.method else 0]
        if not self._current:
            standing = stale(judged.judgements[0])
        entries = self._metrics
        verdict = verdict_of(
            one.scores, lambda name: str(entries[name].title), one.explanation.status
        )
        whose = title_of(one.explanation.request.method) if len(names) > 1 else ""
        if standing:
            self._ask.show_verdict(NOT_YET, standing=standing)
        else:
            self._ask.show_verdict(verdict, whose)
        self._scores.show_standing(standing)

    @property
    def _current(self) -> bool:
        """Whether the scores are of the map on show."""
        controller = self._controller
        if self._asked is None or controller.explanation is None or controller.model is None:
            return False
        here = question_of(controller.explanation, controller.anatomy, controller.model)
        return here == self._asked[0]

    def _drop(self) -> None:
        """Let go of all scores."""
        self._due.stop()
        self._trials.cancel()
        self._counts.cancel()
        self._second.drop()
        self._judged = self._asked = None
        self._maker = (None, _nobody)
        self._scores.show_scores((), {}, str)
        self._show()

    def _on_explained(self, explanation: Explanation) -> None:
        """Know whose map it is: the same cut elsewhere keeps its prediction."""
        if explanation.prediction is not self._maker[0]:
            model = self._controller.model
            self._maker = explanation.prediction, _nobody if model is None else ref(model)
        self._second.note_question()
        self._offer()
        self._show()

    def _on_forgotten(self) -> None:
        """Scores of a volume that is gone go with it."""
        if self._asked is not None and self._asked[1] not in self._viewer.layers:
            self._drop()
        self._second.note_question()
        self._offer()
        self._show()

    def _on_model_changed(self, _model: object) -> None:
        self._cost.forget()
        maker = self._maker
        self._drop()
        self._maker = maker
        self._offer()

    def _on_ask_changed(self) -> None:
        self._offer()

    def _on_layers_changed(self, _event: object = None) -> None:
        self._ask.offer_layers({key: la.name for key, la in labels_in(self._viewer).items()})

    def _on_busy_changed(self, busy: bool) -> None:
        self._ask.show_reason(_RUNNING if busy else self._reason())
        self._due.start()

    def _on_judged(self, judged: jobs.Judged) -> None:
        self._judged = judged
        self._cost.measure(judged.trial.cost, judged.seconds)
        self._ask.show_cost(self._cost.words(title_of))
        self._scores.show_scores(judged.judgements, self._metrics, title_of)
        self._show()

    def _on_counted(self, found: tuple[Any, Any]) -> None:
        self._cost.of, self._cost.counted = found
        self._ask.show_cost(self._cost.words(title_of))

    def _on_method_chosen(self, _name: str) -> None:
        self._show()

    def _on_save_requested(self, folder: str) -> None:
        if self._judged is not None:
            self._files.submit(partial(jobs.save, self._judged.judgements, folder))

    def _on_saved(self, paths: list[Path]) -> None:
        show_info(f"Saved {len(paths)} files in {paths[-1].parent}")
