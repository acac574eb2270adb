"""Subject after subject: between the page, the viewer, the network and the ratings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from g3dvit_napari.core.compact import CompactExplanation
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.io.subjects import Kind, Subject, SubjectList
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.settings import Settings
from g3dvit_napari.plugin.subjects import jobs
from g3dvit_napari.plugin.subjects.keys import WindowKeys
from g3dvit_napari.plugin.subjects.ledger import Ledger, Outcome
from g3dvit_napari.plugin.subjects.page import TIP, SubjectPage
from g3dvit_napari.plugin.subjects.rater import Rater
from g3dvit_napari.plugin.subjects.rating_box import KEYS
from g3dvit_napari.plugin.subjects.visits import Visits

TITLE = "QA"
_NO_MODEL = "Load a checkpoint on the page Explain first."


class SubjectDesk(QObject):
    """Opens lists, runs them, goes through them, and has them rated."""

    list_opened = Signal()
    run_ended = Signal()
    _came = Signal(object, str, object, object)  # ledger, key, outcome, map; from other threads

    def __init__(
        self, viewer: Any, controller: Controller, form: ExplainForm, settings: Settings
    ) -> None:
        super().__init__()
        self.page, self.ledger = SubjectPage(), Ledger()
        self._controller, self._form, self._settings = controller, form, settings
        self.visits = Visits(viewer, controller, self.page)
        self.rater = Rater(self.page, settings)
        lanes = controller.lanes
        self._finding = lanes.add("looking for volumes", self._on_found)
        self._running = lanes.add("the list", self._on_run)
        self._judging = lanes.add("the figures", None, told="nothing")
        self._unjudged: dict[str, Explanation] = {}
        self._asked_for = ""  # the subject whose map was asked for, and has not come yet
        self._run_length = 0
        self._stopped = False  # and that is still said
        self._keys = WindowKeys(self.page, self._actions())
        self.page.offer_again(settings.read("files", "subject_list"))
        form.add_page(TITLE, TIP, self.page)
        self._wire()
        self._adapt()

    def attach(self) -> None:
        """Nothing to listen to until a list is open."""

    def detach(self) -> None:
        """Let go of keys, volumes and maps; what is not on disk yet is written."""
        self._keys.release()
        self.page.rating.flush()
        self.rater.rescue()
        self.visits.let_go()
        self.ledger.forget_maps()
        self._unjudged.clear()

    def open_list(self, place: str, kind: Kind | None = None) -> None:
        """Look for the volumes of a folder, BIDS dataset or table, and list them."""
        self._finding.submit(partial(jobs.find, place, kind))

    def make_study(self, folder: str) -> None:
        """Write made-up subjects to a folder, and list them."""
        self._finding.submit(partial(jobs.make_study, folder))

    def run(self, only_missing: bool = False) -> None:
        """Explain all subjects shown in the list, or those without an answer."""
        model, keys = self._controller.model, self.page.table.rows.keys
        if model is None or not keys:
            return
        self._take_question()
        if self._stopped:
            self._form.run.show_result("")
            self._stopped = False
        subjects = self.ledger.missing(keys) if only_missing else [self._of(k) for k in keys]
        if not subjects:
            self.page.show_place("Every subject shown is answered.")
            return
        deliver = partial(self._came.emit, self.ledger)
        self._run_length = len(subjects)
        self._running.submit(
            partial(jobs.explain_all, subjects, model, self._form.request(), deliver)
        )

    def step(self, step: int) -> None:
        """Go to the next subject of the list, or to the one before."""
        key = self.page.table.neighbour(step)
        if key:
            self.page.table.choose(key)
            self.go_to(key)
        elif self.ledger.subjects:
            self.page.show_place(self._place_of(self.page.table.key), "The list ends here.")

    def go_to(self, key: str) -> None:
        """Show a subject, and its map."""
        self._take_question()
        self._asked_for = ""
        self.rater.show(key)
        self.page.show_place(self._place_of(key), self._state_of(key))
        self.visits.go_to(key)

    def _wire(self) -> None:
        page, controller, visits = self.page, self._controller, self.visits
        page.open_requested.connect(self.open_list)
        page.study_requested.connect(self.make_study)
        page.run_requested.connect(self.run)
        page.step_requested.connect(self.step)
        page.peak_requested.connect(self._form.view.peak_requested)
        page.table.chosen.connect(self.go_to)
        page.in_sight.connect(self._on_in_sight)
        self._form.list_dropped.connect(self._on_dropped)
        self._form.question.changed.connect(self._take_question)
        self.rater.rated.connect(self._on_rated)
        visits.unreadable.connect(self._on_unreadable)
        visits.map_wanted.connect(self._on_map_wanted)
        controller.model_changed.connect(self._on_model_changed)
        for signal in (controller.explained, controller.volume_opened):
            signal.connect(self._on_elsewhere)
        self._form.volume.volume_changed.connect(self._on_elsewhere)
        controller.explained.connect(self._on_explained)
        for signal in (controller.explained, controller.forgotten):
            signal.connect(self._offer_peak)
        controller.failed.connect(self._on_failed)
        self._running.cancelled.connect(self._on_run_cancelled)
        self._came.connect(self._on_came)

    def _actions(self) -> dict[str, Any]:
        moves = {"PgDown": partial(self.step, 1), "PgUp": partial(self.step, -1)}
        return moves | {key: partial(self.page.rating.press, value) for value, key in KEYS.items()}

    def _of(self, key: str) -> Subject:
        return self.ledger.by_key[key]

    def _following(self) -> Subject | None:
        return self.ledger.by_key.get(self.page.table.neighbour(1))

    def _place_of(self, key: str) -> str:
        row, count = self.page.table.rows.row_of(key), len(self.page.table.rows.keys)
        subject = self.ledger.by_key.get(key)
        if subject is None or row is None:
            return ""
        return f"{subject.name}: {row + 1} of {count}"

    def _state_of(self, key: str) -> str:
        outcome = self.ledger.outcomes.get(key)
        return (outcome.error or outcome.message) if outcome else ""

    def _adapt(self) -> None:
        ledger = self.ledger
        self.page.show_list(ledger.summary(), len(ledger.subjects))
        if ledger.subjects:
            self.page.show_reason("" if self._controller.model is not None else _NO_MODEL)
            self.page.table.fit(any(subject.label for subject in ledger.subjects))

    def _offer_peak(self, *_: object) -> None:
        self.page.offer_peak(self._controller.overlay is not None)

    def _take_question(self) -> None:
        """Judge by what the form asks now which answers are answers to it."""
        self.ledger.question = self._form.request()
        self.page.table.rows.refresh_all()

    def _take_network(self) -> None:
        """Tell by the checkpoint that is loaded which saved predictions are its own."""
        model = self._controller.model
        known = {} if model is None else model.handle.checkpoint
        self.ledger.checkpoint = str(known.get("sha256", ""))
        self.ledger.class_names = () if model is None else tuple(model.handle.class_names)

    def _on_dropped(self, place: str) -> None:
        self._form.turn_to(TITLE)
        self.open_list(place)

    def _on_found(self, listed: SubjectList) -> None:
        self._running.cancel()
        self.page.rating.flush()
        self.ledger = Ledger(listed)
        self.rater.open(self.ledger)
        self._take_network()
        self._take_question()
        self.visits.follow(self.ledger, self._form.threshold.threshold, self._following)
        self.page.filter.clear()
        self.page.table.choose("")
        self.page.table.rows.show(self.ledger)
        self.page.show_place("")
        self._settings.write("files", "subject_list", str(listed.place))
        self.page.offer_again(str(listed.place))
        self._adapt()
        self._on_in_sight(self.page.isVisible())
        self.list_opened.emit()

    def _on_in_sight(self, seen: bool) -> None:
        """Keys work while the page is seen and has a list."""
        if seen and self.ledger.subjects:
            self._keys.bind()
        else:
            self._keys.release()

    def _on_came(
        self, ledger: Ledger, key: str, outcome: Outcome, compact: CompactExplanation | None
    ) -> None:
        if ledger is not self.ledger:
            return
        self._unjudged.pop(key, None)
        ledger.record(key, outcome, compact)
        self.page.table.rows.refresh(key)
        self.page.table.grow(key)
        if key == self.page.table.key:
            self.page.show_place(self._place_of(key), self._state_of(key))

    def _on_run(self, failed: int) -> None:
        done = self._run_length - failed
        words = f"{done} explained" + (f", {failed} failed: see the column Map" if failed else "")
        self.page.show_place(f"{words}.", self._state_of(self.visits.going_to))
        self._adapt()
        self.run_ended.emit()

    def _on_run_cancelled(self) -> None:
        done = f"{len(self.ledger.outcomes)} of {len(self.ledger.subjects)} subjects are done"
        self._form.run.show_result("", f"Stopped; {done} and kept.")
        self._stopped = True
        self.page.show_place(f"Stopped: {done}.")
        self._adapt()
        self.run_ended.emit()

    def _on_map_wanted(self, key: str) -> None:
        if self._controller.model is not None:
            self._asked_for = key
            self._form.explain_requested.emit()

    def _on_explained(self, explanation: Explanation) -> None:
        """Keep the answer about the subject on show; a cut elsewhere is no new answer."""
        stage, key = self.visits.stage, self.visits.going_to
        if stage.layer is None or self._controller.anatomy is not stage.layer or not key:
            return
        self._asked_for = ""
        stage.restore_look()
        source = explanation.relevance.source
        if source is not None and source.frame.startswith("frame"):
            return  # the list is about means
        self._take_question()
        if not self._is_kept(key, explanation):
            self._unjudged[key] = explanation
            deliver = partial(self._came.emit, self.ledger)
            self._judging.submit(partial(jobs.judge, dict(self._unjudged), deliver))

    def _is_kept(self, key: str, explanation: Explanation) -> bool:
        kept, asked = self.ledger.map_of(key), explanation.request
        return kept is not None and replace(asked, threshold=kept.request.threshold) == kept.request

    def _on_elsewhere(self, *_: object) -> None:
        """Leave the list once the form is about a volume that is not of it."""
        chosen, stage = self._form.volume.layer, self.visits.stage
        mine = stage.layer is not None and chosen == str(stage.layer.unique_id)
        if chosen is None or mine or stage.changing or stage.is_empty:
            return
        self.visits.stop()
        stage.leave()
        self.rater.show("")
        self.page.table.unmark()
        self.page.show_place("No subject is on show: choose a row.")

    def _on_unreadable(self, key: str, error: str) -> None:
        """Say why no head is on show; nothing else may be taken for this subject's."""
        self._form.volume.choose_none()
        self._note_failure(key, error)
        name = self._of(key).name
        self.page.show_place(self._place_of(key), f"{name} cannot be shown: {error}")

    def _on_failed(self, message: str) -> None:
        key, self._asked_for = self._asked_for, ""
        if key:
            self._note_failure(key, message)

    def _note_failure(self, key: str, error: str) -> None:
        self._on_came(self.ledger, key, Outcome(self._form.request(), error=error), None)

    def _on_model_changed(self, _model: object) -> None:
        self._running.cancel()
        self.ledger.forget_answers()
        self._take_network()
        self._take_question()
        self._adapt()

    def _on_rated(self, key: str) -> None:
        self._adapt()
        if self.page.rating.go_on.isChecked() and key == self.page.table.key:
            self.step(1)
