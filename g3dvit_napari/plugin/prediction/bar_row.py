"""How one class is drawn: its probability fills the row, its name and number stand over it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QPainter, QPalette, QPen
from qtpy.QtWidgets import QStyledItemDelegate

ROW = 23  # pixels
NUMBER = Qt.ItemDataRole.UserRole  # of the class
SHARE = NUMBER + 1  # how much of the row is filled, 0 to 1
VALUE = NUMBER + 2  # the text at the right
PREDICTED = NUMBER + 3
_ACCENT, _PLAIN = QColor(74, 124, 240, 150), QColor(130, 134, 150, 95)  # on dark and on light
_FRAME = QColor(96, 146, 255)
_TRACK = QColor(130, 134, 150, 30)
_ROUND, _MARGIN = 3.0, 7
_TAG = "  predicted"


class BarRow(QStyledItemDelegate):
    """Paints a class with its bar; the chosen one in colour and framed."""

    def sizeHint(self, _option: Any, _index: Any) -> QSize:
        """Every row is as high as the next, and as wide as the list."""
        return QSize(0, ROW)

    def paint(self, painter: QPainter | None, option: Any, index: Any) -> None:
        """Draw one row."""
        if painter is None:
            return
        chosen = index.row() == option.widget.currentRow()
        row = QRectF(option.rect).adjusted(1, 1.5, -1, -1.5)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_bar(painter, row, index.data(SHARE), chosen)
        self._draw_words(painter, row, option, index)
        painter.restore()

    def _draw_bar(self, painter: QPainter, row: QRectF, share: float, chosen: bool) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_TRACK)
        painter.drawRoundedRect(row, _ROUND, _ROUND)
        filled = QRectF(row)
        filled.setWidth(row.width() * share)
        painter.setBrush(_ACCENT if chosen else _PLAIN)
        painter.drawRoundedRect(filled, _ROUND, _ROUND)
        if chosen:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(_FRAME, 1.4))
            painter.drawRoundedRect(row, _ROUND, _ROUND)

    def _draw_words(self, painter: QPainter, row: QRectF, option: Any, index: Any) -> None:
        ink = option.widget.palette().color(QPalette.ColorRole.WindowText)
        quiet = QColor(ink)
        quiet.setAlpha(165)
        metrics = QFontMetrics(painter.font())
        inside = row.adjusted(_MARGIN, 0, -_MARGIN, 0)
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        painter.setPen(ink)
        painter.drawText(inside, middle | int(Qt.AlignmentFlag.AlignRight), index.data(VALUE))
        tag = _TAG if index.data(PREDICTED) else ""
        taken = metrics.horizontalAdvance(index.data(VALUE) or "") + _MARGIN
        room = int(inside.width()) - taken - metrics.horizontalAdvance(tag)
        name = metrics.elidedText(index.data(), Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(inside, middle, name)
        painter.setPen(quiet)
        painter.drawText(inside.adjusted(metrics.horizontalAdvance(name), 0, 0, 0), middle, tag)
