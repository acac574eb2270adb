"""The map follows the time slider: every frame has its own, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer, Signal

from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.series.course import Course, Frame, Scale, fingerprint
from g3dvit_napari.plugin.series.jobs import frame_volume

REST_MS = 400  # without a move, until what is shown becomes the explanation that all others see


class Follower(QObject):
    """Puts the map of the frame on show over it; never that of another frame.

    While frames fly by only the picture changes; once the slider rests, the controller is handed
    the explanation, so that it can be cut elsewhere, saved and tabulated.

    Parameters
    ----------
    viewer, controller
        Where the series is shown.
    threshold
        Returns where maps are cut now.
    parent
        The follower lives no longer.
    """

    moved = Signal(int)  # the frame that the slider shows now
    changed = Signal()  # a frame turned out to be another one than was explained

    def __init__(
        self,
        viewer: Any,
        controller: Controller,
        threshold: Callable[[], Threshold],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._controller, self._threshold = viewer, controller, threshold
        self.course: Course | None = None
        self.layer: Layer | None = None  # the series that is chosen
        self.of_mean = False
        self.scale: Scale = "common"
        self.frame: int | None = None
        self.settling = False  # whether the controller is being told of a frame at rest
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self.settle)

    def attach(self) -> None:
        """Follow the slider."""
        self._viewer.dims.events.point.connect(self._on_point)

    def detach(self) -> None:
        """Stop following."""
        self._viewer.dims.events.point.disconnect(self._on_point)
        self._rest.stop()
        self.course = self.layer = self.frame = None

    def follow(self, layer: Layer | None) -> None:
        """Follow a series, or None."""
        self.layer, self.frame = layer, None
        self._rest.stop()
        self._on_point()

    def sync(self, rescale: bool = True) -> None:
        """Show the map that belongs to the frame on show, or say that there is none.

        While frames come in, the scale common to all changes with each: then nothing is rescaled.
        """
        course, overlay = self.course, self._controller.overlay
        if course is None or overlay is None or not self._shows_course():
            return
        wanted = self._wanted()
        if wanted is None:
            return
        if wanted not in course.frames:
            self._rest.stop()
            what = "mean" if wanted == "mean" else f"frame {wanted}"
            overlay.show_nothing(f"{what}: not explained")
        elif not overlay.blank and self._on_show(overlay.explanation, wanted, rescale):
            return
        else:
            overlay.swap(self._explanation(course, wanted, lasting=False))
            self._rest.start()

    def lay(self, frame: Frame) -> None:
        """Take note of a frame just explained; the first one puts up an overlay."""
        if self.layer is not None and self._controller.anatomy is not self.layer:
            self._hand_over(frame)
        overlay = self._controller.overlay
        if frame == self._wanted() or (overlay is not None and not overlay.blank):
            self.sync(rescale=False)

    def settle(self) -> None:
        """Make the frame on show the controller's explanation."""
        course, layer, wanted = self.course, self.layer, self._wanted()
        self._rest.stop()
        if course is None or layer is None or wanted not in course.frames or wanted is None:
            return
        if self._controller.comparison.shown:
            return
        if fingerprint(frame_volume(layer, wanted)) != course.fingerprints[wanted]:
            course.drop(wanted)
            self.changed.emit()
            self.sync()
            return
        self._hand_over(wanted)

    def _hand_over(self, frame: Frame) -> None:
        if self.course is None or self.layer is None:
            return
        shown = self._explanation(self.course, frame)
        self.settling = True
        try:
            self._controller.show(self.layer, shown)
        finally:
            self.settling = False

    def _explanation(self, course: Course, frame: Frame, lasting: bool = True) -> Explanation:
        volume = frame_volume(self.layer, frame) if lasting else course.stand_in(frame)
        return course.explanation(frame, volume, self._threshold(), self.scale, lasting=lasting)

    def _wanted(self) -> Frame | None:
        return "mean" if self.of_mean else self.frame

    def _shows_course(self) -> bool:
        """Whether the overlay is ours to change: it lies over the series, and alone."""
        over = self.layer is not None and self._controller.anatomy is self.layer
        return over and not self._controller.comparison.shown

    def _on_show(self, explanation: Explanation | None, wanted: Frame, scale: bool) -> bool:
        """Whether an explanation is that of a frame, and on the scale that is wanted."""
        course = self.course
        if explanation is None or course is None:
            return False
        said, when = explanation.provenance, course.when(wanted, self.scale)
        same_scale = not scale or said.get("scale") == when.get("scale")
        same_time = said.get("frame") == wanted and same_scale
        same_question = explanation.target == course.frames[wanted].target
        return same_time and same_question and explanation.request.method == course.request.method

    def _on_point(self, event: object = None) -> None:
        del event
        if self.layer is None or self.layer.ndim < 4 or self.layer not in self._viewer.layers:
            return
        frame = self._controller.frame_index(self.layer)
        if frame != self.frame:
            self.frame = frame
            self.moved.emit(frame)
            self.sync()
