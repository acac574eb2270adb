"""One quiet line above the pages: what lies under the mouse."""

from __future__ import annotations

from html import escape
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

from g3dvit_napari.plugin.places.reading import Reading

_STYLE = "font-size: 11px; padding: 5px 12px 4px 12px;"
_SIDES, _ENDS = 24, 9  # the padding above, both sides together
_TIP = (
    "Under the mouse: x, y, z in mm of the scanner's space; the relevance as scaled (in the\n"
    "method's own units); how few of the places that the network sees are as relevant."
)


class ReadOut(QLabel):
    """Keeps its height, so that nothing moves when the mouse leaves; too long words are cut."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setStyleSheet(_STYLE)
        self.setAccessibleName("Under the mouse")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.words = ""
        self._region = False
        self.hide()
        self.show_reading(None)

    def make_room(self, *, regions: bool) -> None:
        """Show the line, and a second one for the name of the region."""
        self._region = regions
        self.show()
        self._write("", "")
        self.updateGeometry()

    def show_reading(self, reading: Reading | None) -> None:
        """Show what was read; nothing off the map."""
        if reading is None:
            self._write("", "")
        else:
            self._write(reading.words, reading.region)

    def sizeHint(self) -> QSize:
        """As high as its lines, whatever they say."""
        lines = 2 if self._region else 1
        return QSize(0, self.fontMetrics().lineSpacing() * lines + _ENDS)

    def resizeEvent(self, event: Any) -> None:
        """Fit the words into the new width."""
        super().resizeEvent(event)
        self._fit()

    def _write(self, words: str, region: str) -> None:
        self.words = f"{words}\n{region}" if self._region else words
        self._fit()

    def _fit(self) -> None:
        metrics, width = self.fontMetrics(), self.width() - _SIDES
        lines = self.words.split("\n")
        fitted = [metrics.elidedText(line, Qt.TextElideMode.ElideRight, width) for line in lines]
        self.setText("\n".join(fitted))
        self.setToolTip(_TIP if fitted == lines else f"<qt>{escape(self.words)}</qt>")
