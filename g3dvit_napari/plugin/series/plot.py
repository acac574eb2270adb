"""A plot over time: panels of lines, a strip of the known frames, and the frame now shown."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from g3dvit_napari.plugin.series.axes import Line, Panel, TimeAxis

LEFT, RIGHT, TOP, GAP = 30, 8, 4, 8  # pixels around and between the panels
STRIP = 6  # pixels: the height of the strip of frames
DOTS_FROM = 4.0  # pixels per frame from which every value has a dot
SMALLER = 1.5  # points less than the form's font
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
        return TimeAxis(self._count, LEFT, max(self.width() - RIGHT, LEFT + 1), self._seconds)

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
        font = self.font()
        if font.pointSizeF() > 0:
            font.setPointSizeF(font.pointSizeF() - SMALLER)
        painter.setFont(font)
        try:
            if self._count and self._panels:
                _Drawing(painter, self).draw()
            else:
                painter.setPen(self.ink(0.6))
                flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                painter.drawText(QRectF(self.rect()), flags, self._words)
        finally:
            painter.end()

    def ink(self, strength: float) -> QColor:
        """Return the colour of the form's letters, fainter for a strength below 1."""
        color = QColor(self.palette().color(QPalette.ColorRole.WindowText))
        color.setAlphaF(strength)
        return color


class _Drawing:
    """One picture of a plot."""

    def __init__(self, painter: QPainter, plot: Plot) -> None:
        self._painter, self._plot, self._axis = painter, plot, plot.axis
        self._metrics = QFontMetricsF(painter.font())
        self._line = self._metrics.height()

    def draw(self) -> None:
        panels = self._plot._panels
        bottom = self._plot.height() - 2 * self._line - STRIP - GAP
        height = (bottom - TOP - self._line) / len(panels)
        top = TOP + self._line
        self._text(QRectF(0, TOP, self._axis.right, self._line), self._plot.read_out, "right")
        for panel in panels:
            self._panel(panel, top, height - GAP)
            top += height
        self._strip(bottom)
        self._ticks(bottom + STRIP + 2)

    def _panel(self, panel: Panel, top: float, height: float) -> None:
        head = self._legend(panel, top) + 3
        left, right = self._axis.left, self._axis.right
        inner = QRectF(left, top + head, right - left, height - head)
        for value in (panel.low, (panel.low + panel.high) / 2, panel.high):
            y = self._y(panel, value, inner)
            self._painter.setPen(QPen(self._plot.ink(0.15), 1))
            self._painter.drawLine(QPointF(inner.left(), y), QPointF(inner.right(), y))
            place = QRectF(0, y - self._line / 2, LEFT - 4, self._line)
            self._text(place, f"{value:.3g}", "right")
        self._cursor(inner.top(), inner.bottom())
        for line in sorted(panel.lines, key=lambda line: line.strong):
            self._curve(panel, line, inner)

    def _legend(self, panel: Panel, top: float) -> float:
        """Write the title, then each line's name and value in its colour; return the height."""
        left, right, below = self._axis.left, self._axis.right, top
        for text, color in self._words(panel):
            width = self._metrics.horizontalAdvance(text)
            if left > self._axis.left and left + width > right:
                left, below = self._axis.left, below + self._line
            shown = self._metrics.elidedText(text, Qt.TextElideMode.ElideRight, right - left)
            self._painter.setPen(color)
            self._painter.drawText(QPointF(left, below + self._metrics.ascent()), shown)
            left += width + 8
        return below - top + self._line

    def _words(self, panel: Panel) -> list[tuple[str, QColor]]:
        frame = self._plot._frame if self._plot._hovered is None else self._plot._hovered
        words = [(panel.title, self._plot.ink(0.75))]
        for line in panel.lines:
            value = line.values.get(-1 if frame is None else frame)
            said = "" if value is None else f" {value:.2f}"
            words.append((f"{line.name}{said}", QColor(line.color)))
        return words

    def _curve(self, panel: Panel, line: Line, inner: QRectF) -> None:
        points = [
            QPointF(self._axis.x(frame), self._y(panel, value, inner))
            for frame, value in sorted(line.values.items())
            if value == value  # a share of nothing is no number
        ]
        color = QColor(line.color)
        self._painter.setPen(QPen(color, 1.8 if line.strong else 1.2))
        for one, other in pairwise(points):
            self._painter.drawLine(one, other)
        if self._axis.width >= DOTS_FROM or len(points) == 1:
            self._painter.setBrush(color)
            for point in points:
                self._painter.drawEllipse(point, 2.2, 2.2)
            self._painter.setBrush(Qt.BrushStyle.NoBrush)

    def _strip(self, top: float) -> None:
        """Fill the strip where a frame is known."""
        gap = 1.0 if self._axis.width > 3 else 0.0
        self._painter.setPen(Qt.PenStyle.NoPen)
        for frame in range(self._axis.count):
            left = self._axis.left + frame * self._axis.width
            known = frame in self._plot._known
            cell = QRectF(left, top, self._axis.width - gap, STRIP)
            self._painter.fillRect(cell, self._plot.ink(0.75 if known else 0.12))

    def _ticks(self, top: float) -> None:
        most = max(int((self._axis.right - self._axis.left) // 45), 2)
        for x, words in self._axis.ticks(most):
            self._text(QRectF(x - 25, top, 50, self._line), words, "centre")
        place = QRectF(self._axis.left, top + self._line - 2, self._axis.right - LEFT, self._line)
        self._text(place, self._axis.title, "centre")

    def _cursor(self, top: float, bottom: float) -> None:
        for frame, strength in ((self._plot._hovered, 0.35), (self._plot._frame, 0.9)):
            if frame is not None:
                x = self._axis.x(frame)
                self._painter.setPen(QPen(self._plot.ink(strength), 1))
                self._painter.drawLine(QPointF(x, top), QPointF(x, bottom))

    def _y(self, panel: Panel, value: float, inner: QRectF) -> float:
        span = panel.high - panel.low
        share = (min(max(value, panel.low), panel.high) - panel.low) / span if span else 0.0
        return float(inner.bottom() - share * inner.height())

    def _text(self, place: QRectF, words: str, side: str) -> None:
        sides = {"right": Qt.AlignmentFlag.AlignRight, "centre": Qt.AlignmentFlag.AlignHCenter}
        self._painter.setPen(self._plot.ink(0.75))
        self._painter.drawText(place, sides[side] | Qt.AlignmentFlag.AlignVCenter, words)
