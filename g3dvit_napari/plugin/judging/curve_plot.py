"""The plot of one metric's curves; the mouse or the arrow keys read it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from g3dvit_napari.plugin.controls.panels import (
    GAP,
    LEFT,
    RIGHT,
    TOP,
    Line,
    PanelPainter,
    ink_of,
    left_of,
    smaller,
)
from g3dvit_napari.plugin.controls.section import explain
from g3dvit_napari.plugin.judging.curves import Drawn, ShareAxis, Spacing

_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
_NEAR = 1e-9
HEIGHT, _PER_LINE = 190, 7  # pixels; two names of lines stand beside each other


class CurvePlot(QWidget):
    """Draws curves over a share, with QPainter as the plots over time: no further dependency."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drawn: Drawn | None = None
        self._spacing: Spacing = "even"
        self._read: float | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName("Curves behind a score")
        explain(
            self,
            "What the network said at each step, per method; dashed: random orders.\n"
            "Move the mouse over it, or use the arrow keys, to read values.",
        )

    def sizeHint(self) -> QSize:
        """As wide as the form."""
        return QSize(240, HEIGHT)

    def show_curves(self, drawn: Drawn | None, spacing: Spacing) -> None:
        """Show other curves, or others' spacing."""
        self._drawn, self._spacing, self._read = drawn, spacing, None
        lines = len(drawn.panel.lines) if drawn is not None else 0
        self.setFixedHeight(HEIGHT + _PER_LINE * max(lines - 4, 0))
        self.update()

    @property
    def axis(self) -> ShareAxis:
        """The axis as it is drawn."""
        if self._drawn is None:
            return ShareAxis(LEFT, max(self.width() - RIGHT - 12, LEFT + 1))
        left = left_of([self._drawn.panel], smaller(self.font()))
        right = max(self.width() - RIGHT - 12, left + 1)
        return ShareAxis(left, right, self._drawn.axis, self._spacing, self._drawn.labels)

    @property
    def read_out(self) -> str:
        """Which place is read."""
        return "" if self._read is None else self.axis.words(self._read)

    def mouseMoveEvent(self, event: Any) -> None:
        """Read the known place next to the mouse."""
        if self._drawn is not None and self._drawn.places:
            at, axis = event.pos().x(), self.axis
            self._go(min(self._drawn.places, key=lambda place: abs(axis.x(place) - at)))

    def leaveEvent(self, event: Any) -> None:
        """Read nothing."""
        self._go(None)
        super().leaveEvent(event)

    def keyPressEvent(self, event: Any) -> None:
        """Arrows: the next known place. Home and End: the first and the last."""
        places = self._drawn.places if self._drawn is not None else []
        ends = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: len(places) - 1}
        if not places or event.key() not in {*_STEPS, *ends}:
            super().keyPressEvent(event)
            return
        here = -1 if self._read is None else places.index(self._read)
        wished = ends.get(event.key(), here + _STEPS.get(event.key(), 0))
        self._go(places[min(max(wished, 0), len(places) - 1)])

    def paintEvent(self, _event: Any) -> None:
        """Draw everything anew; that takes about a millisecond."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(smaller(self.font()))
        try:
            if self._drawn is not None:
                self._draw(painter, self._drawn)
            if self.hasFocus():
                painter.setPen(ink_of(self, 0.3))
                painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        finally:
            painter.end()

    def _draw(self, painter: QPainter, drawn: Drawn) -> None:
        axis = self.axis
        drawing = PanelPainter(painter, self, axis, self._value, dots=False)
        bottom = self.height() - 2 * drawing.line - GAP - 4
        top = TOP + drawing.line
        drawing.text(QRectF(0, TOP, axis.right, drawing.line), self.read_out, "right")
        cursors = [] if self._read is None else [(axis.x(self._read), 0.35)]
        drawing.panel(drawn.panel, top, bottom - top, cursors)
        drawing.ticks(bottom + 6)

    def _value(self, line: Line) -> float | None:
        """Return a line's value at the place that is read; lines of two ends are level."""
        if self._read is None:
            return None
        values = {float(place): value for place, value in line.values.items()}
        near = min(values, key=lambda place: abs(place - (self._read or 0.0)))
        level = len(values) > 1 and len(set(values.values())) == 1
        return values[near] if level or abs(near - self._read) < _NEAR else None

    def _go(self, place: float | None) -> None:
        if place != self._read:
            self._read = place
            self.update()
