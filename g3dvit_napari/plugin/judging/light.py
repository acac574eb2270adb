"""The verdict: a coloured mark with a sign of its own, a word, and a sentence."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from g3dvit_napari.plugin.controls.section import words
from g3dvit_napari.summaries.verdict import Colour, Verdict

# Told apart by lightness and sign as well as by hue; readable on dark and on light.
COLORS: dict[Colour, str] = {
    "grey": "#8c8c94",
    "red": "#d1495b",
    "amber": "#e0a030",
    "green": "#1a9e77",
}
SIGNS: dict[Colour, str] = {"grey": "?", "red": "✕", "amber": "!", "green": "✓"}
SIZE = 22  # pixels
_TIP = (
    "What the checks that were run come to. It never says that a map is right: checks can only\n"
    "show that it is wrong."
)


class Mark(QWidget):
    """A disc with a sign in it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.colour: Colour = "grey"
        self.setFixedSize(QSize(SIZE, SIZE))

    def show_colour(self, colour: Colour) -> None:
        """Change colour and sign."""
        self.colour = colour
        self.update()

    def paintEvent(self, _event: Any) -> None:
        """Draw the disc, hollow while nothing is known."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color, disc = QColor(COLORS[self.colour]), QRectF(1.5, 1.5, SIZE - 3, SIZE - 3)
        painter.setPen(QPen(color, 2))
        painter.setBrush(Qt.BrushStyle.NoBrush if self.colour == "grey" else color)
        painter.drawEllipse(disc)
        painter.setPen(QPen(color if self.colour == "grey" else QColor("white"), 2))
        self._sign(painter, disc.center())
        painter.end()

    def _sign(self, painter: QPainter, at: QPointF) -> None:
        """Draw the sign with lines, so that no font can lack it."""
        if self.colour in ("grey", "amber"):
            font = painter.font()
            font.setBold(True)
            font.setPixelSize(SIZE - 9)
            painter.setFont(font)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, SIGNS[self.colour])
            return
        lines = {
            "red": ((-4, -4, 4, 4), (-4, 4, 4, -4)),
            "green": ((-5, 0, -1, 4), (-1, 4, 5, -4)),
        }
        for x0, y0, x1, y1 in lines[self.colour]:
            painter.drawLine(at + QPointF(x0, y0), at + QPointF(x1, y1))


class Light(QWidget):
    """Shows a verdict."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mark, self.word, self.sentence = Mark(), QLabel(), words()
        self.word.setWordWrap(True)  # never widen the form
        self.word.setStyleSheet("font-weight: 600; padding: 0px;")
        self.sentence.setStyleSheet("padding: 0px;")
        for part in (self.mark, self.word, self.sentence):
            part.setToolTip(_TIP)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.mark)
        top.addWidget(self.word, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.sentence)

    def show_verdict(self, verdict: Verdict, whose: str = "") -> None:
        """Show colour, word and sentence, and of whose map they are."""
        self.mark.show_colour(verdict.colour)
        self.mark.setAccessibleName(verdict.word)
        self.word.setText(" · ".join(filter(None, (verdict.word, whose))))
        self.sentence.setText(verdict.sentence)
