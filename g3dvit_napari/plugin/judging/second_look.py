"""The same question to a network that has learned nothing, shown beside the map."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QObject

from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.judging import jobs
from g3dvit_napari.plugin.judging.likeness import in_words
from g3dvit_napari.plugin.judging.random_box import RandomBox
from g3dvit_napari.plugin.judging.standing import Question, question_of

_ELSEWHERE = "Another map came on show meanwhile; randomise again."


class SecondLook(QObject):
    """Shows both maps in the cells of a comparison, and says how alike they are."""

    def __init__(self, controller: Controller, box: RandomBox, parent: QObject) -> None:
        super().__init__(parent)
        self._controller, self._box = controller, box
        self._asked: Question | None = None
        self._mine: Any = None  # the comparison that was put up here
        self._looks = controller.lanes.add("the randomised network", self._on_looked)
        controller.comparison.changed.connect(self._on_comparison_changed)
        box.asked.connect(self.look)
        box.end_requested.connect(controller.end_comparison)

    def look(self) -> None:
        """Ask the randomised copy."""
        model, shown = self._controller.model, self._controller.explanation
        if model is not None and shown is not None:
            self._asked = self._question
            self._box.show_words("")
            self._looks.submit(partial(jobs.forget, model, shown))

    def show_reason(self, reason: str) -> None:
        """Say why it cannot be done; empty: it can."""
        self._box.show_reason(reason)

    def note_question(self) -> None:
        """Take the words away when they are of another map than the one on show."""
        if self._asked is not None and self._asked != self._question:
            self._looks.cancel()
            self._asked = None
            self._box.show_words("")

    def drop(self) -> None:
        """Stop, and let go of both maps."""
        self._looks.cancel()
        self._asked = self._mine = None
        self._box.show_words("")

    @property
    def _question(self) -> Question | None:
        controller = self._controller
        if controller.explanation is None or controller.model is None:
            return None
        return question_of(controller.explanation, controller.anatomy, controller.model)

    def _on_looked(self, found: jobs.Forgotten) -> None:
        controller = self._controller
        layer, overlay, shown = controller.anatomy, controller.overlay, controller.explanation
        if self._asked != self._question or layer is None or overlay is None or shown is None:
            self._box.show_words(_ELSEWHERE)
            return
        controller.end_comparison()
        self._mine = found.compared
        controller.comparison.show(layer, found.compared, shown.request.threshold, overlay)
        self._box.show_words(in_words(found, jobs.SEED))

    def _on_comparison_changed(self, shown: bool) -> None:
        mine = shown and self._controller.comparison.compared is self._mine
        self._box.show_running(mine)
        if not mine:
            self._mine = None
