"""A roll of film: frames are taken in the GUI thread, one per turn, and encoded outside of it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import QObject, QTimer

from g3dvit_napari.core.errors import ExportError
from g3dvit_napari.plugin.export.stills import Pixels
from g3dvit_napari.plugin.lane import Report
from g3dvit_napari.plugin.picture.turntable import turn_camera

_AHEAD = 4  # frames that wait for the encoder; each is a picture in memory
_PATIENCE = 0.05  # seconds between two looks at whether the user cancelled


class Roll(QObject):
    """Takes the frames of one turn; between two of them the window lives.

    Parameters
    ----------
    viewer
        The viewer, showing a volume.
    count
        How many frames make a turn.
    take
        Returns the picture of the canvas as it is.
    parent
        With it go the roll and its timer.
    """

    def __init__(
        self, viewer: Any, count: int, take: Callable[[], Pixels], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._take, self.count = viewer, take, count
        self._taken: queue.Queue[Pixels | None] = queue.Queue(_AHEAD)
        self._number = 0
        self._before = tuple(viewer.scene.camera.angles)
        self._timer = QTimer(self)
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._on_turn)

    def start(self) -> None:
        """Begin to take frames."""
        self._timer.start()

    def stop(self) -> None:
        """Take no more, and put the camera back."""
        if not self._timer.isActive():
            return
        self._timer.stop()
        self._viewer.scene.camera.angles = self._before
        if self._number < self.count:
            self._drop()

    def frames(self, report: Report) -> Iterator[Pixels]:
        """Yield the frames as they come, outside the GUI thread; `report` may raise Cancelled."""
        for number in range(self.count):
            yield self._next(report, number)
        report(1.0, "finishing the movie")

    def _next(self, report: Report, number: int) -> Pixels:
        while True:
            report(number / self.count, f"frame {number + 1} of {self.count}")
            try:
                frame = self._taken.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            if frame is None:
                raise ExportError(
                    f"the view was left after {number} of {self.count} frames, so there is no "
                    "movie; save it again, and stay in the volume meanwhile"
                )
            return frame

    def _on_turn(self) -> None:
        if int(self._viewer.dims.ndisplay) != 3:
            self.stop()
        elif not self._taken.full():
            self._taken.put(self._take())
            self._number += 1
            turn_camera(self._viewer.scene.camera, 360 / self.count)
            if self._number == self.count:
                self.stop()

    def _drop(self) -> None:
        """Tell the encoder that nothing more will come."""
        while not self._taken.empty():
            self._taken.get_nowait()
        self._taken.put(None)
