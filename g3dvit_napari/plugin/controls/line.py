"""A line of words that is cut where the form is too narrow; all of it stands in the tooltip."""

from __future__ import annotations

import html
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget


class Line(QLabel):
    """One line, never wrapped; it takes text from files for text, not for markup."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._line = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_line(self, text: str) -> None:
        """Change the text."""
        self._line = text
        self.setToolTip(f"<qt>{html.escape(text)}</qt>" if text else "")
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Never widen the form."""
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: Any) -> None:
        """Cut the text to the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        metrics = QFontMetrics(self.font())
        self.setText(metrics.elidedText(self._line, Qt.TextElideMode.ElideRight, self.width()))
