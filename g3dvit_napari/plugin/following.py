"""Answers a changed question by itself, or says that the map on show answers another one."""

from __future__ import annotations

from collections.abc import Callable

from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer, Signal

from g3dvit_napari.plugin.asking.standing import standing
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.form import ExplainForm

AT_ONCE_MS, PAUSE_MS = 10, 300  # after a choice; after a number, of which more may follow


class Following(QObject):
    """Decides when a change computes, and tells what is shown until then.

    Parameters
    ----------
    form, controller
        Those of the widget.
    chosen
        Returns the layer that is chosen in the form, if any.
    """

    due = Signal()  # compute now

    def __init__(
        self, form: ExplainForm, controller: Controller, chosen: Callable[[], Layer | None]
    ) -> None:
        super().__init__()
        self._form, self._controller, self._chosen = form, controller, chosen
        self._asked = False  # whether this network was asked about this volume: changes may follow
        self._timer = QTimer(form)  # goes with the window
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.due)
        form.question.changed.connect(self._on_question_changed)
        form.volume.volume_changed.connect(self.start_afresh)
        form.run.live.toggled.connect(self._tell)
        controller.model_changed.connect(self.start_afresh)
        controller.forgotten.connect(self.start_afresh)
        controller.explained.connect(self._on_explained)
        controller.failed.connect(self._on_stopped)
        controller.lanes.cancelled.connect(self._on_stopped)
        controller.lanes.busy_changed.connect(self._tell)

    def stop(self) -> None:
        """Compute nothing that is not asked for anew."""
        self._timer.stop()

    def note_question(self) -> None:
        """Follow changes from now on: the network is being asked."""
        self._asked = True
        self._timer.stop()

    def press(self) -> None:
        """Answer now, also where changes are not followed; many passes wait for the button."""
        if self._quick and (self._controller.explanation is None or self._standing):
            self._timer.start(AT_ONCE_MS)

    def start_afresh(self, *_: object) -> None:
        """Wait to be asked: the network or the volume is another one."""
        self._asked = False
        self._tell()

    @property
    def _ready(self) -> bool:
        """Whether there is all that an answer needs: the first choice then asks."""
        return self._controller.model is not None and self._chosen() is not None

    @property
    def _quick(self) -> bool:
        """Whether the chosen method starts by itself."""
        entry = self._form.question.entry
        return entry is not None and entry.cost != "many passes"

    @property
    def _standing(self) -> str:
        shown, anatomy = self._controller.explanation, self._controller.anatomy
        layer = self._chosen()
        if shown is None or layer is None:
            return ""
        other = "" if layer is anatomy else str(layer.name)
        return standing(shown, self._form.request(), self._form.question, other)

    def _on_question_changed(self, more_may_follow: bool) -> None:
        wanted = self._asked or (self._ready and not more_may_follow)
        if wanted and self._quick and self._form.run.live.isChecked():
            self._timer.start(PAUSE_MS if more_may_follow else AT_ONCE_MS)
        self._tell()

    def _on_explained(self, _explanation: object) -> None:
        self._asked = self._controller.anatomy is self._chosen()
        self._tell()

    def _on_stopped(self, *_: object) -> None:
        self._asked = self._controller.explanation is not None
        self._tell()

    def _tell(self, *_: object) -> None:
        """Say what the map on show is, unless the one that is asked for is on its way."""
        coming = self._timer.isActive() or self._controller.lanes.busy
        self._form.run.show_standing("" if coming else self._standing)
        question = self._form.question
        self._form.run.show_offer(question.cost_of(question.method) == "many passes")
