"""Back and forth between results: two arrows and where one is."""

from __future__ import annotations

import html

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QShortcut, QWidget

from g3dvit_napari.plugin.controls.section import allow, explain
from g3dvit_napari.plugin.history.past import Past

_STYLE = "padding: 0px; font-size: 13px;"
_ARROWS = {-1: ("‹", "Previous result", "Alt+Left"), 1: ("›", "Next result", "Alt+Right")}
_END = {-1: "There is no older result.", 1: "There is no newer result."}


class HistoryBar(QWidget):
    """Hidden until there is a result."""

    stepped = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.previous, self.next = self._button(-1), self._button(1)
        self.place = QLabel()
        self.place.setStyleSheet("padding: 0px;")
        self.place.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for widget in (self.previous, self.place, self.next):
            layout.addWidget(widget)
        self.previous.clicked.connect(self._on_previous)
        self.next.clicked.connect(self._on_next)
        self.show_past(Past())

    def _button(self, by: int) -> QPushButton:
        text, name, keys = _ARROWS[by]
        button = QPushButton(text)
        button.setFixedSize(QSize(26, 22))
        button.setStyleSheet(_STYLE)
        button.setAccessibleName(name)
        explain(button, f"{name} ({keys}); the network is not run.")
        return button

    def listen_in(self, window: QWidget) -> None:
        """Take Alt+Left and Alt+Right anywhere in a widget."""
        for by, button in ((-1, self.previous), (1, self.next)):
            shortcut = QShortcut(QKeySequence(_ARROWS[by][2]), window)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(button.click)

    def show_past(self, past: Past) -> None:
        """Show where in the results one is; all of them stand in the tooltip."""
        count = len(past.results)
        self.setVisible(bool(count))
        here = past.now is not None
        self.place.setText(f"{past.place + 1} of {count}" if here else f"{count} earlier")
        allow(self.previous, "" if past.step(-1) else _END[-1])
        allow(self.next, "" if past.step(1) else _END[1])
        lines = [
            f"{'<b>' if result is past.now else ''}{number}. {html.escape(result.words)}"
            f"{'</b>' if result is past.now else ''}"
            for number, result in enumerate(past.results, 1)
        ]
        self.place.setToolTip("<qt style='white-space: pre'>" + "<br>".join(lines) + "</qt>")

    def _on_previous(self) -> None:
        self.stepped.emit(-1)

    def _on_next(self) -> None:
        self.stepped.emit(1)
