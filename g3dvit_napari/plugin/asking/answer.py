"""An answer in two lines: the prediction, and all else in one line that unfolds."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from g3dvit_napari.plugin.controls.fold import Fold
from g3dvit_napari.plugin.controls.line import Line
from g3dvit_napari.plugin.controls.section import words


class Answer(QWidget):
    """Takes no more than two lines of the form until it is unfolded."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.headline, self.details = Line(), words()
        self.headline.setAccessibleName("Result")
        self.details.setAccessibleName("Result in full")
        self.headline.setStyleSheet("padding: 0px;")
        self.details.setStyleSheet("padding: 0px 0px 0px 14px;")
        self.more = Fold("More of the result", "What is shown, what it took, what was measured.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        for widget in (self.headline, self.more, self.details):
            layout.addWidget(widget)
        self._text = ""
        self.more.toggled.connect(self._unfold)

    def text(self) -> str:
        """Return all that is said, folded or not."""
        return self._text

    def show_text(self, text: str) -> None:
        """Show the first of some lines, and the others behind each other."""
        self._text = text
        first, _, rest = text.partition("\n")
        self.headline.show_line(first)
        self.more.show_line(rest.replace("\n", " · "))
        self.more.setVisible(bool(rest))
        self.details.setText(rest)
        self._unfold()
        self.setVisible(bool(text))

    def _unfold(self, *_: object) -> None:
        self.details.setVisible(self.more.isChecked() and bool(self.details.text()))
