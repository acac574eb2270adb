"""The histogram of a map's values, with the cut as a line that mouse and keys move."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from g3dvit_napari.plugin.controls.amount import STEPS
from g3dvit_napari.plugin.controls.section import explain
from g3dvit_napari.plugin.threshold.axes import Axis, Bar

TIP = (
    "How often each relevance occurs in the field of view; what is kept is in the map's colours.\n"
    "Drag the line to move the cut, or use the arrow and page keys, Home and End."
)
EMPTY = "No map yet"
HEIGHT, SIDE, TOP, BOTTOM = 104, 8, 7, 18
_GREY = QColor(132, 132, 138)
_BELOW = QColor(132, 132, 138, 95)
_DARKEST = 0.55  # colours are lifted to here: the lowest of most colour maps are nearly black
_KEYS = {**STEPS, Qt.Key.Key_Home: -10_000, Qt.Key.Key_End: 10_000}


class Histogram(QWidget):
    """Draws bars along an axis and a cut; tells where the cut is wanted."""

    cut_wanted = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis: Axis | None = None
        self._bars: list[Bar] = []
        self._colors: NDArray[Any] = np.full((2, 3), 0.6)
        self._signed = False
        self.cut: float | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumHeight(HEIGHT)
        self.setAccessibleName("Histogram of the relevance")
        explain(self, TIP)

    def sizeHint(self) -> QSize:
        """Return a low and wide box."""
        return QSize(240, HEIGHT)

    def show_axis(self, axis: Axis | None) -> None:
        """Draw what an axis holds; None: nothing."""
        self._axis, self._bars = axis, list(axis.bars()) if axis is not None else []
        self.setEnabled(axis is not None)
        self.setCursor(
            Qt.CursorShape.SplitHCursor if axis is not None else Qt.CursorShape.ArrowCursor
        )
        self.update()

    def show_colors(self, colors: NDArray[Any], *, signed: bool) -> None:
        """Take the map's colours (n, 3), from its lowest value (0, signed: -1) to 1."""
        brightness = np.maximum(colors.max(axis=1, keepdims=True), 1e-3)
        lifted = np.maximum(brightness, _DARKEST) / brightness
        self._colors, self._signed = np.clip(colors * lifted, 0, 1), signed
        self.update()

    def show_cut(self, cut: float | None) -> None:
        """Draw the line elsewhere; None: everything is kept."""
        self.cut = cut
        self.update()

    def places(self) -> list[float]:
        """Return where the line is drawn, in pixels from the left; signed maps have two."""
        if self._axis is None or self.cut is None:
            return []
        return [self._x(place) for place in self._axis.places(self.cut)]

    def mousePressEvent(self, event: Any) -> None:
        """Bring the line under the mouse."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._want_at(event.pos().x())

    def mouseMoveEvent(self, event: Any) -> None:
        """Drag the line."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._want_at(event.pos().x())

    def keyPressEvent(self, event: Any) -> None:
        """Arrows: one step. Page keys: ten. Home and End: the limits."""
        if self._axis is None or event.key() not in _KEYS:
            super().keyPressEvent(event)
            return
        self._want(self._axis.stepped(self.cut or 0.0, _KEYS[event.key()]))

    def _want_at(self, x: float) -> None:
        if self._axis is not None:
            width = max(self.width() - 2 * SIDE, 1)
            self._want(self._axis.cut_at((x - SIDE) / width))

    def _want(self, cut: float) -> None:
        self.show_cut(cut)
        self.cut_wanted.emit(cut)

    def _x(self, place: float) -> float:
        return SIDE + place * (self.width() - 2 * SIDE)

    def paintEvent(self, _event: Any) -> None:
        """Draw bars, axis, ticks and the line."""
        painter = QPainter(self)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            floor = self.height() - BOTTOM
            if self._axis is None:
                painter.setPen(_GREY)
                painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, EMPTY)
                return
            self._draw_bars(painter, floor)
            self._draw_ticks(painter, self._axis, floor)
            self._draw_line(painter, floor)
        finally:
            painter.end()

    def _draw_bars(self, painter: QPainter, floor: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        places = self.places()
        for bar in self._bars:
            left, right = self._x(bar.left), self._x(bar.right)
            high = max(bar.height * (floor - TOP), 1.0)
            painter.fillRect(QRectF(left, floor - high, right - left, high), _BELOW)
            for low, top in self._kept_parts(left, right, places):
                kept = QRectF(low, floor - high, top - low, high)
                painter.fillRect(kept, self._color(bar.value))

    def _kept_parts(
        self, left: float, right: float, places: list[float]
    ) -> list[tuple[float, float]]:
        """Return the parts of a bar that lie outside the cut."""
        if not places:
            return [(left, right)]
        parts = [(max(left, places[-1]), right)]
        if len(places) == 2:
            parts.append((left, min(right, places[0])))
        return [(low, high) for low, high in parts if high > low]

    def _draw_ticks(self, painter: QPainter, axis: Axis, floor: float) -> None:
        painter.setPen(QPen(_GREY, 1))
        painter.drawLine(QPointF(SIDE, floor + 0.5), QPointF(self.width() - SIDE, floor + 0.5))
        font = painter.font()
        font.setPointSizeF(max(font.pointSizeF() * 0.85, 6.0))
        painter.setFont(font)
        for place, text in axis.ticks():
            x, half = self._x(place), 20.0
            painter.drawLine(QPointF(x, floor), QPointF(x, floor + 3))
            width = painter.fontMetrics().boundingRect(text).width()
            x = min(max(x, width / 2 + 1), self.width() - width / 2 - 2)
            box = QRectF(x - half, floor + 3, 2 * half, BOTTOM - 3)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _draw_line(self, painter: QPainter, floor: float) -> None:
        color = self.palette().color(self.foregroundRole())
        painter.setPen(QPen(color, 2.4 if self.hasFocus() else 1.6))
        painter.setBrush(color)
        for x in self.places():
            painter.drawLine(QPointF(x, 1), QPointF(x, floor))
            grip = [QPointF(x - 4.5, 0), QPointF(x + 4.5, 0), QPointF(x, 6.5)]
            painter.drawPolygon(QPolygonF(grip))

    def _color(self, value: float) -> QColor:
        share = (value + 1) / 2 if self._signed else value
        place = round(min(max(share, 0.0), 1.0) * (len(self._colors) - 1))
        return QColor.fromRgbF(*(float(c) for c in self._colors[place]))
