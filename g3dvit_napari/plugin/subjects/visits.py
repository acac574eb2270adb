"""Going to a subject: its volume is read, or was read ahead, and its map is shown or asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.io.subjects import Subject
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.subjects import jobs
from g3dvit_napari.plugin.subjects.ledger import Ledger
from g3dvit_napari.plugin.subjects.stage import Stage

_REST_MS = 120  # whoever runs through the list does not open every file on the way


class Visits(QObject):
    """Brings one subject at a time into the viewer."""

    arrived = Signal(str)  # the volume of this subject is on show; its map, too, if it was kept
    unreadable = Signal(str, str)  # key, why
    map_wanted = Signal(str)  # there is no map of this subject yet

    def __init__(self, viewer: Any, controller: Controller, page: QWidget) -> None:
        super().__init__()
        self.stage = Stage(viewer, controller)
        self._controller = controller
        self.going_to = ""
        self._ledger = Ledger()
        self._threshold: Callable[[], Threshold] = Threshold
        self._next: Callable[[], Subject | None] = lambda: None
        self._held: tuple[str, Layer] | None = None
        self._opening = controller.lanes.add("reading the subject", self._on_opened)
        self._ahead = controller.lanes.add("reading ahead", self._on_read_ahead, told="nothing")
        self._rest = QTimer(page)  # goes with the window
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._open)

    @property
    def is_waiting(self) -> bool:
        """Whether a subject was asked for that nobody reads yet."""
        return bool(self._rest.isActive())

    def follow(
        self,
        ledger: Ledger,
        threshold: Callable[[], Threshold],
        following: Callable[[], Subject | None],
    ) -> None:
        """Go through a list; `threshold` cuts the maps, `following` is read ahead."""
        self.stop()
        self._ledger, self._threshold, self._next = ledger, threshold, following
        self._held = None

    def go_to(self, key: str) -> None:
        """Show a subject; the last one asked for wins."""
        self.going_to = key
        self._ahead.cancel()
        self._rest.start()

    def stop(self) -> None:
        """Go nowhere any more."""
        self.going_to = ""
        self._rest.stop()
        self._opening.cancel()
        self._ahead.cancel()

    def let_go(self) -> None:
        """Stop, and let go of volumes; the layers stay."""
        self.stop()
        self._held = None
        self.stage.let_go()

    def _open(self) -> None:
        subject = self._ledger.by_key.get(self.going_to)
        if subject is None:
            return
        held, self._held = self._held, None
        layer = held[1] if held is not None and held[0] == subject.key else None
        compact = self._ledger.map_of(subject.key)
        self._opening.submit(partial(jobs.open_subject, subject, layer, compact, self._threshold()))

    def _on_opened(self, opened: jobs.Opened) -> None:
        if opened.key != self.going_to:
            return
        if opened.layer is None:
            name = self._ledger.by_key[opened.key].name
            self.stage.put_nothing(f"{name} cannot be shown: {opened.error}")
            self.unreadable.emit(opened.key, opened.error)
            return
        self.stage.put(opened.layer)
        self._controller.volume_opened.emit(opened.layer)
        self.arrived.emit(opened.key)
        if opened.explanation is not None:
            self.stage.show(opened.explanation)
        else:
            self.map_wanted.emit(opened.key)
        self._read_ahead()

    def _read_ahead(self) -> None:
        subject = self._next()
        if subject is not None:
            self._ahead.submit(partial(jobs.read_ahead, subject))

    def _on_read_ahead(self, held: tuple[str, Layer] | None) -> None:
        self._held = held
