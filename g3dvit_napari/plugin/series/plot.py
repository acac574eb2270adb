"""A plot over time: panels of lines, a strip of the known frames, and the frame now shown."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from g3dvit_napari.plugin.controls.panels import (
    GAP,
    RIGHT,
    TOP,
    Line,
    Panel,
    PanelPainter,
    ink_of,
    left_of,
    smaller,
)
from g3dvit_napari.plugin.series.axes import TimeAxis

STRIP = 6  # pixels: the height of the strip of frames
DOTS_FROM = 4.0  # pixels per frame from which every value has a dot
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}


class Plot(QWidget):
    """Shows panels above each other over one time axis; a click or a key asks for a frame."""

    frame_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._panels: tuple[Panel, ...] = ()
        self._known: frozenset[int] = frozenset()
        self._count, self._seconds = 0, None
        self._frame: int | None = None
        self._hovered: int | None = None
        self._words = ""
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.setMinimumHeight(210)
        self.setAccessibleName("Time course")
        self.setToolTip("Click to go to a frame; the arrow keys step from frame to frame.")

    def sizeHint(self) -> QSize:
        """As wide as the form, and high enough for two panels."""
        return QSize(260, 240)

    def show_panels(
        self,
        panels: tuple[Panel, ...],
        count: int,
        seconds: float | None = None,
        known: Collection[int] = (),
        words: str = "",
    ) -> None:
        """Show panels over `count` frames; `words` stand there while no frame is known."""
        self._panels, self._count, self._seconds = panels, count, seconds  # type: ignore[assignment]
        self._known, self._words = frozenset(known), words
        self.update()

    def show_frame(self, frame: int | None) -> None:
        """Mark the frame that the viewer shows."""
        if frame != self._frame:
            self._frame = frame
            self.update()

    @property
    def axis(self) -> TimeAxis:
        """The time axis as it is drawn."""
        left = left_of(self._panels, smaller(self.font()))
        return TimeAxis(self._count, left, max(self.width() - RIGHT, left + 1), self._seconds)

    @property
    def read_out(self) -> str:
        """What is written about the frame under the mouse, or else the one shown."""
        frame = self._frame if self._hovered is None else self._hovered
        if frame is None or not self._count:
            return ""
        said = self.axis.words(frame)
        return said if frame in self._known else f"{said}: not explained"

    def mousePressEvent(self, event: Any) -> None:
        """Ask for the frame that was clicked."""
        if event.button() == Qt.MouseButton.LeftButton and self._count:
            self.frame_asked.emit(self.axis.frame_at(event.pos().x()))

    def mouseMoveEvent(self, event: Any) -> None:
        """Read the frame under the mouse; while pressed, go there."""
        if not self._count:
            return
        hovered = self.axis.frame_at(event.pos().x())
        if hovered != self._hovered:
            self._hovered = hovered
            self.update()
            if event.buttons() & Qt.MouseButton.LeftButton:
                self.frame_asked.emit(hovered)

    def leaveEvent(self, event: Any) -> None:
        """Read the frame that is shown again."""
        self._hovered = None
        self.update()
        super().leaveEvent(event)

    def keyPressEvent(self, event: Any) -> None:
        """Arrows: one frame. Page keys: ten. Home and End: the first and the last."""
        here, last = self._frame, self._count - 1
        ends = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}
        if here is None or not self._count:
            super().keyPressEvent(event)
        elif event.key() in _STEPS:
            self.frame_asked.emit(min(max(here + _STEPS[event.key()], 0), last))
        elif event.key() in ends:
            self.frame_asked.emit(ends[event.key()])
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: Any) -> None:
        """Draw everything anew; that takes about a millisecond."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(smaller(self.font()))
        try:
            if self._count and self._panels:
                self._draw(painter)
            else:
                painter.setPen(ink_of(self, 0.6))
                flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                painter.drawText(QRectF(self.rect()), flags, self._words)
        finally:
            painter.end()

    def cursors(self) -> list[tuple[float, float]]:
        """Return where lines mark a frame, and how strongly: below the mouse, and shown."""
        both = (self._hovered, 0.35), (self._frame, 0.9)
        return [(self.axis.x(frame), strength) for frame, strength in both if frame is not None]

    def _value(self, line: Line) -> float | None:
        frame = self._frame if self._hovered is None else self._hovered
        return line.values.get(-1 if frame is None else frame)

    def _draw(self, painter: QPainter) -> None:
        axis = self.axis
        drawing = PanelPainter(painter, self, axis, self._value, dots=axis.width >= DOTS_FROM)
        bottom = self.height() - 2 * drawing.line - STRIP - GAP
        height = (bottom - TOP - drawing.line) / len(self._panels)
        top = TOP + drawing.line
        drawing.text(QRectF(0, TOP, axis.right, drawing.line), self.read_out, "right")
        for panel in self._panels:
            drawing.panel(panel, top, height - GAP, self.cursors())
            top += height
        self._strip(painter, bottom)
        drawing.ticks(bottom + STRIP + 2)

    def _strip(self, painter: QPainter, top: float) -> None:
        """Fill the strip where a frame is known."""
        axis = self.axis
        gap = 1.0 if axis.width > 3 else 0.0
        for frame in range(axis.count):
            cell = QRectF(axis.left + frame * axis.width, top, axis.width - gap, STRIP)
            painter.fillRect(cell, ink_of(self, 0.75 if frame in self._known else 0.12))
