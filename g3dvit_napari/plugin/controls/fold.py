"""A line that tells the most of something, and unfolds the rest."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QPushButton, QSizePolicy, QWidget

from g3dvit_napari.plugin.controls.section import explain

_ARROWS = {False: "▸", True: "▾"}
_STYLE = "text-align: left; padding: 0px; border: none; background: transparent;"
_HEIGHT = 22


class Fold(QPushButton):
    """A flat button with an arrow; its text is cut where the form is too narrow for it."""

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._line = ""
        self.setCheckable(True)
        self.setFlat(True)
        self.setStyleSheet(_STYLE)
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(name)
        explain(self, tip)
        self.toggled.connect(self._fit)

    def show_line(self, text: str) -> None:
        """Change the text beside the arrow."""
        self._line = text
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Never widen the form."""
        return QSize(0, _HEIGHT)

    def resizeEvent(self, event: Any) -> None:
        """Cut the text to the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self, *_: object) -> None:
        arrow = f"{_ARROWS[self.isChecked()]} "
        metrics = QFontMetrics(self.font())
        room = self.width() - metrics.horizontalAdvance(arrow) - 4
        self.setText(arrow + metrics.elidedText(self._line, Qt.TextElideMode.ElideRight, room))
