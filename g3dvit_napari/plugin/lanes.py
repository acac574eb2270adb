"""All lanes of one window, told of as one: what the user waits for, and what runs unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from qtpy.QtCore import QObject, Signal

from g3dvit_napari.plugin.lane import Lane

Told = Literal["all", "errors", "nothing"]


class Lanes(QObject):
    """Makes lanes, and stops, counts and reports them together."""

    progressed = Signal(float, str)
    busy_changed = Signal(bool)  # whether anything runs that the user waits for
    cancelled = Signal()
    failed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._awaited: list[Lane] = []
        self._unseen: list[Lane] = []

    def add(self, name: str, done: Callable[[Any], object] | None, told: Told = "all") -> Lane:
        """Return a new lane whose results go to `done`.

        Parameters
        ----------
        name
            What it does, for messages.
        done
            Called in the GUI thread with what the work returned.
        told
            Whether the user is told of progress and errors ("all": the work is waited for and
            can be cancelled), of "errors" alone, or of "nothing".
        """
        lane = Lane(name)
        if done is not None:
            lane.succeeded.connect(done)
        if told != "nothing":
            lane.failed.connect(self.failed)
        if told == "all":
            lane.progressed.connect(self.progressed)
            lane.busy_changed.connect(self._on_busy_changed)
            lane.cancelled.connect(self.cancelled)
        (self._awaited if told == "all" else self._unseen).append(lane)
        return lane

    @property
    def busy(self) -> bool:
        """Whether anything runs that the user waits for."""
        return any(lane.busy for lane in self._awaited)

    @property
    def at_rest(self) -> bool:
        """Whether nothing runs at all."""
        return not any(lane.busy for lane in (*self._awaited, *self._unseen))

    def cancel(self) -> None:
        """Stop what the user waits for, and what nobody waits for, too."""
        for lane in (*self._awaited, *self._unseen):
            lane.cancel()

    def close(self) -> None:
        """Stop for good."""
        for lane in (*self._awaited, *self._unseen):
            lane.close()

    def _on_busy_changed(self, _busy: bool) -> None:
        self.busy_changed.emit(self.busy)
