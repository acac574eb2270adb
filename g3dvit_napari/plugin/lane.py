"""A lane of background work: one worker at a time, and the newest request wins."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QThreadPool, Signal
from superqt.utils import create_worker

from g3dvit_napari.core.errors import Cancelled, G3DViTError
from g3dvit_napari.core.memory import lacks_memory, short_of_memory
from g3dvit_napari.plugin.warned import named

_ROOM = 32  # threads in Qt's pool: more than all lanes of a window can hold at once
_FRAME = 0.1  # seconds between two reports of a stage: each redraws the window
Report = Callable[[float, str], None]
Work = Callable[[Report], Any]

_log = logging.getLogger(__name__)


class Lane(QObject):
    """Runs one piece of work at a time outside the GUI thread.

    `submit` while something runs asks that to stop and takes its place; what the stopped work
    still brings back is dropped. All signals arrive in the GUI thread.
    """

    progressed = Signal(float, str)
    succeeded = Signal(object)
    failed = Signal(str)
    cancelled = Signal()
    busy_changed = Signal(bool)
    _reported = Signal(object, float, str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._worker: Any = None
        self._waiting: Work | None = None
        self._closed = False
        self._reported.connect(self._on_reported)
        _make_room()

    @property
    def busy(self) -> bool:
        """Whether a worker runs or waits."""
        return self._worker is not None

    def submit(self, work: Work) -> None:
        """Run `work(report)`; `report(fraction, stage)` shows progress and may raise Cancelled."""
        if self._closed:
            return
        if self.busy:
            self._waiting = work
            self._worker.quit()
        else:
            self._start(work)

    def cancel(self) -> None:
        """Ask the running work to stop, and forget what waits."""
        self._waiting = None
        if self.busy:
            self._worker.quit()

    def close(self) -> None:
        """Stop for good: nothing is started or reported any more."""
        self._closed = True
        self.cancel()

    def _start(self, work: Work) -> None:
        worker: Any = None
        name = self._name
        told, told_at = "", 0.0

        def report(fraction: float, stage: str) -> None:
            nonlocal told, told_at
            if worker.abort_requested:
                raise Cancelled(f"{name} was stopped at {stage!r}; start it again any time")
            now = time.monotonic()
            if stage != told or now - told_at > _FRAME:
                told, told_at = stage, now
                self._reported.emit(worker, fraction, stage)

        # superqt's worker, not napari's: that one keeps a record of every worker in its window, and
        # its own listeners fail under PySide6 when work is stopped.
        errand = [work]

        def run() -> Any:  # under PySide6 some workers stay for good: what they held shall not
            with named(name):
                return errand.pop()(report)

        worker = self._worker = create_worker(
            run,
            _start_thread=False,
            _connect={
                "returned": self._on_returned,
                "errored": self._on_errored,
                "finished": self._on_finished,
            },
        )
        self.busy_changed.emit(True)
        worker.start()

    @property
    def _stale(self) -> bool:
        return self._closed or self._worker is None or self._worker.abort_requested

    def _on_reported(self, worker: Any, fraction: float, stage: str) -> None:
        if worker is self._worker and not self._stale:
            self.progressed.emit(fraction, stage)

    def _on_returned(self, result: Any) -> None:
        if not self._stale:
            self.succeeded.emit(result)

    def _on_errored(self, error: Exception) -> None:
        if self._stale or isinstance(error, Cancelled):
            return
        if not isinstance(error, G3DViTError):
            _log.error("%s failed", self._name, exc_info=error)
        self.failed.emit(sentence(error))

    def _on_finished(self) -> None:
        stopped = self._stale and not self._closed
        work, self._worker, self._waiting = self._waiting, None, None
        if work is not None and not self._closed:
            self._start(work)
            return
        if stopped:
            self.cancelled.emit()
        if not self._closed:
            self.busy_changed.emit(False)


def sentence(error: Exception) -> str:
    """Return what the user reads about an error; errors of ours already say what to do."""
    if isinstance(error, G3DViTError):
        return str(error)
    if lacks_memory(error):
        return short_of_memory(error)
    return f"{type(error).__name__}: {error}. The log holds the details."


def _make_room() -> None:
    """Leave threads free in Qt's pool, whatever the lanes do.

    Qt converts large pictures in that pool, and PyQt holds Python's lock meanwhile. Were all its
    threads busy with work of ours that waits for the lock, both would wait for ever.
    """
    pool = QThreadPool.globalInstance()
    pool.setMaxThreadCount(max(pool.maxThreadCount(), _ROOM))
