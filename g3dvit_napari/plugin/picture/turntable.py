"""The turntable: the camera goes around the head's long axis, at the pace the window can draw."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

FRAME_MS = 33
SECONDS = 12.0  # per turn
LONGEST_STEP = 12.0  # degrees: on a slow machine the head turns slowly rather than in leaps


def turn_camera(camera: Any, degrees: float) -> None:
    """Turn the camera about the axis from inferior to superior; the head turns the other way."""
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)

    def turned(direction: tuple[float, ...]) -> tuple[float, float, float]:
        z, y, x = direction
        return z, cosine * y - sine * x, sine * y + cosine * x

    camera.set_view_direction(turned(camera.view_direction), turned(camera.up_direction))


class Turntable(QObject):
    """Turns the volume until it is stopped; then the camera is where it was.

    The next step is asked for only when the last one has been drawn, so a slow graphics card makes
    fewer frames and the window stays alive; the user may turn and zoom meanwhile.
    """

    turning = Signal(bool)

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)  # it goes with the form, and its timer with it
        self._viewer = viewer
        self._before: tuple[float, ...] = ()
        self._last = 0.0
        self.seconds = SECONDS
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._step)

    @property
    def runs(self) -> bool:
        """Whether the head turns now."""
        return bool(self._before)

    def start(self) -> None:
        """Begin to turn, in a volume."""
        if self.runs:
            return
        self._before = tuple(self._viewer.scene.camera.angles)
        self._last = time.monotonic()
        self._timer.start()
        self.turning.emit(True)

    def stop(self) -> None:
        """Stand still, seen from where the turn began."""
        if not self.runs:
            return
        self._timer.stop()
        self._viewer.scene.camera.angles = self._before
        self._before = ()
        self.turning.emit(False)

    def _step(self) -> None:
        now = time.monotonic()
        degrees = min(360 * (now - self._last) / self.seconds, LONGEST_STEP)
        self._last = now
        turn_camera(self._viewer.scene.camera, degrees)
        self._timer.start()
