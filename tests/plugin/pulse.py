"""A timer of 10 ms in the GUI thread; what it misses is what a person feels."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from qtpy.QtCore import Qt, QTimer

STALL_MS = 50


class Pulse:
    """Beats while work is done elsewhere."""

    def __init__(self) -> None:
        self.beats: list[float] = []
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.setInterval(10)
        self.timer.timeout.connect(lambda: self.beats.append(time.perf_counter()))

    def beats_until(self, qtbot, until: Callable[[], object]) -> list[float]:
        """Return when it beat, from now until something is so."""
        self.beats = [time.perf_counter()]
        self.timer.start()
        qtbot.waitUntil(lambda: bool(until()), timeout=60_000)
        self.timer.stop()
        return self.beats

    def longest_ms(self, qtbot, until: Callable[[], object]) -> float:
        """Return the longest pause between two beats until something is so."""
        return float(np.diff(self.beats_until(qtbot, until)).max() * 1000)
