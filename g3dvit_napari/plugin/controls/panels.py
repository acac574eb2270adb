"""Lines over a common axis, drawn in the colours of the form: what all plots share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPalette, QPen
from qtpy.QtWidgets import QWidget

# Told apart by the colour-blind, and readable on dark and on light.
COLORS = ("#e08214", "#3a8fd6", "#1a9e77", "#d1495b", "#b06fc0", "#8c8c94")
LEFT, RIGHT, TOP, GAP = 30, 8, 4, 8  # pixels around and between the panels
SMALLER = 1.5  # points less than the form's font
_STRONG, _FAINT, _DOT = 1.8, 1.2, 2.2  # pixels
_NUMBER_GAP = 4  # pixels between a panel and the numbers to its left


@dataclass(frozen=True)
class Line:
    """One quantity: a value per known place; `strong` lines stand out, others may be dashed."""

    name: str
    values: Mapping[int, float] | Mapping[float, float]
    color: str
    strong: bool = True
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines over a common axis from `low` to `high`."""

    title: str
    lines: tuple[Line, ...]
    low: float = 0.0
    high: float = 1.0

    @property
    def marks(self) -> tuple[tuple[float, str], ...]:
        """The values that have a level line, as they are written to the left of it."""
        values = self.low, (self.low + self.high) / 2, self.high
        return tuple((value, f"{value:.3g}") for value in values)


class Axis(Protocol):
    """Where the places of all panels lie from left to right."""

    @property
    def left(self) -> float:
        """The left end, in pixels."""

    @property
    def right(self) -> float:
        """The right end, in pixels."""

    @property
    def title(self) -> str:
        """What the axis shows."""

    def x(self, place: float, /) -> float:
        """Return the position of a place, in pixels."""

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return positions and words of at most so many ticks."""


def ink_of(widget: QWidget, strength: float) -> QColor:
    """Return the colour of a widget's letters, fainter for a strength below 1."""
    color = QColor(widget.palette().color(QPalette.ColorRole.WindowText))
    color.setAlphaF(strength)
    return color


def smaller(font: QFont) -> QFont:
    """Return the font of a plot in a form with this one."""
    if font.pointSizeF() > 0:
        font.setPointSizeF(font.pointSizeF() - SMALLER)
    return font


def left_of(panels: Iterable[Panel], font: QFont) -> float:
    """Return where panels start, in pixels, so that their numbers stand to the left in full."""
    metrics = QFontMetricsF(font)
    words = (text for panel in panels for _, text in panel.marks)
    return max(LEFT, *(metrics.horizontalAdvance(text) + _NUMBER_GAP + 1 for text in words), 0)


class PanelPainter:
    """Draws panels and the axis below them.

    Parameters
    ----------
    painter, widget
        On what is drawn, and whose ink is used.
    axis
        Of all panels.
    read
        The value of a line that is written beside its name; None: no value.
    dots
        Whether every value has a dot.
    """

    def __init__(
        self,
        painter: QPainter,
        widget: QWidget,
        axis: Axis,
        read: Callable[[Line], float | None],
        *,
        dots: bool,
    ) -> None:
        self._painter, self._widget, self._axis = painter, widget, axis
        self._read, self._dots = read, dots
        self._metrics = QFontMetricsF(painter.font())
        self.line = self._metrics.height()

    def ink(self, strength: float) -> QColor:
        """Return the colour of the form's letters, fainter for a strength below 1."""
        return ink_of(self._widget, strength)

    def panel(
        self,
        panel: Panel,
        top: float,
        height: float,
        cursors: Sequence[tuple[float, float]] = (),
    ) -> None:
        """Draw a panel; cursors are positions in pixels with the strength of their lines."""
        head = self._legend(panel, top) + 3
        left, right = self._axis.left, self._axis.right
        inner = QRectF(left, top + head, right - left, height - head)
        for value, words in panel.marks:
            y = self._y(panel, value, inner)
            self._painter.setPen(QPen(self.ink(0.15), 1))
            self._painter.drawLine(QPointF(inner.left(), y), QPointF(inner.right(), y))
            place = QRectF(0, y - self.line / 2, left - _NUMBER_GAP, self.line)
            self.text(place, words, "right")
        for x, strength in cursors:
            self._painter.setPen(QPen(self.ink(strength), 1))
            self._painter.drawLine(QPointF(x, inner.top()), QPointF(x, inner.bottom()))
        for line in sorted(panel.lines, key=lambda line: line.strong):
            self._curve(panel, line, inner)

    def ticks(self, top: float) -> None:
        """Write the places below the panels, and what they are."""
        axis = self._axis
        most = max(int((axis.right - axis.left) // 45), 2)
        for x, words in axis.ticks(most):
            self.text(QRectF(x - 25, top, 50, self.line), words, "centre")
        place = QRectF(axis.left, top + self.line - 2, axis.right - axis.left, self.line)
        self.text(place, axis.title, "centre")

    def text(self, place: QRectF, words: str, side: str) -> None:
        """Write words at the "right" or in the "centre" of a place."""
        sides = {"right": Qt.AlignmentFlag.AlignRight, "centre": Qt.AlignmentFlag.AlignHCenter}
        self._painter.setPen(self.ink(0.75))
        self._painter.drawText(place, sides[side] | Qt.AlignmentFlag.AlignVCenter, words)

    def _legend(self, panel: Panel, top: float) -> float:
        """Write the title, then each line's name and value in its colour; return the height."""
        left, right, below = self._axis.left, self._axis.right, top
        for text, color in self._words(panel):
            width = self._metrics.horizontalAdvance(text)
            if left > self._axis.left and left + width > right:
                left, below = self._axis.left, below + self.line
            shown = self._metrics.elidedText(text, Qt.TextElideMode.ElideRight, right - left)
            self._painter.setPen(color)
            self._painter.drawText(QPointF(left, below + self._metrics.ascent()), shown)
            left += width + 8
        return below - top + self.line

    def _words(self, panel: Panel) -> list[tuple[str, QColor]]:
        words = [(panel.title, self.ink(0.75))]
        for line in panel.lines:
            value = self._read(line)
            said = "" if value is None else f" {value:.2f}"
            words.append((f"{'┄ ' * line.dashed}{line.name}{said}", QColor(line.color)))
        return words

    def _curve(self, panel: Panel, line: Line, inner: QRectF) -> None:
        points = [
            QPointF(self._axis.x(place), self._y(panel, value, inner))
            for place, value in sorted(line.values.items())
            if value == value  # a share of nothing is no number
        ]
        color = QColor(line.color)
        pen = QPen(color, _STRONG if line.strong else _FAINT)
        if line.dashed:
            pen.setStyle(Qt.PenStyle.DashLine)
            self._painter.setPen(pen)
            self._painter.drawPolyline(points)  # one stroke, or short steps would hide the gaps
            return
        self._painter.setPen(pen)
        for one, other in pairwise(points):
            self._painter.drawLine(one, other)
        if self._dots or len(points) == 1:
            self._painter.setBrush(color)
            for point in points:
                self._painter.drawEllipse(point, _DOT, _DOT)
            self._painter.setBrush(Qt.BrushStyle.NoBrush)

    def _y(self, panel: Panel, value: float, inner: QRectF) -> float:
        span = panel.high - panel.low
        share = (min(max(value, panel.low), panel.high) - panel.low) / span if span else 0.0
        return float(inner.bottom() - share * inner.height())
