"""The badge in the foot: where the network runs, how much memory is free, how long it will take."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from qtpy.QtCore import QObject, QTimer

from g3dvit_napari.core.device import DeviceState
from g3dvit_napari.core.types import Explanation, ExplanationRequest
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.form import ExplainForm

EVERY_MS = 3000
GLANCE_MS = 100  # until the answer is fetched
WORTH_TELLING = 1.0  # seconds; what is quicker needs no word
_MINUTE = 60.0


class DeviceWatch(QObject):
    """Asks for the state of the device now and then.

    In a thread of its own, as a driver may block: the threads of the lanes may all be taken, by a
    run and by those that wait for it.
    """

    def __init__(self, form: ExplainForm, controller: Controller) -> None:
        super().__init__()
        self._form, self._controller = form, controller
        self._state: DeviceState | None = None
        self._seconds: dict[tuple[Any, ...], float] = {}  # of this network: question, last run
        self._thread: ThreadPoolExecutor | None = None
        self._asked: Future[DeviceState] | None = None
        self._timer = QTimer(form)  # goes with the window
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_time)
        controller.model_changed.connect(self._on_model_changed)
        controller.explained.connect(self._on_explained)
        form.question.changed.connect(self._show)

    def attach(self) -> None:
        """Start looking."""
        self._thread = ThreadPoolExecutor(1, "g3dvit device")
        self._look()

    def detach(self) -> None:
        """Look no more."""
        self._timer.stop()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = self._asked = None

    def _look(self) -> None:
        if self._thread is not None:
            model = self._controller.model
            self._asked = self._thread.submit(jobs.device_state, model.handle if model else None)
            self._timer.start(GLANCE_MS)

    def _on_time(self) -> None:
        """Fetch the answer, or ask again."""
        if self._asked is None:
            self._look()
        elif not self._asked.done():
            self._timer.start(GLANCE_MS)
        else:
            error, asked, self._asked = self._asked.exception(), self._asked, None
            if error is None:
                self._state = asked.result()
                self._show()
            self._timer.start(EVERY_MS)

    def _on_model_changed(self, _model: object) -> None:
        self._seconds.clear()
        self._look()

    def _on_explained(self, found: Explanation) -> None:
        self._seconds[_question(found.request)] = found.seconds
        self._show()

    def _show(self) -> None:
        if self._state is not None:
            seconds = self._seconds.get(_question(self._form.request()), 0.0)
            hint = in_words(seconds) if seconds >= WORTH_TELLING else ""
            self._form.run.show_device(self._state.words, hint)


def in_words(seconds: float) -> str:
    """Return how long a run like the last one will take."""
    if seconds < _MINUTE:
        return f"about {seconds:.0f}\u00a0s"
    return f"about {seconds / _MINUTE:.0f}\u00a0min"


def _question(request: ExplanationRequest) -> tuple[Any, ...]:
    """Return what decides how long a run takes: neither class nor threshold."""
    parameters = sorted((name, repr(value)) for name, value in request.parameters.items())
    return request.method, request.objective, *parameters
