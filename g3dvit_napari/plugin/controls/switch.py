"""A switch between a few named states: joined buttons of which exactly one is down."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from g3dvit_napari.plugin.controls.section import explain


class Switch(QWidget):
    """Joined buttons; `options` maps each value to (text, tooltip)."""

    changed = Signal(str)

    def __init__(
        self, options: Mapping[str, tuple[str, str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._buttons: dict[str, QPushButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        for value, (text, tip) in options.items():
            self._buttons[value] = self._button(text, tip)
            layout.addWidget(self._buttons[value], len(text) + 2)  # long words need more room
        next(iter(self._buttons.values())).setChecked(True)
        self._group.buttonClicked.connect(self._on_clicked)

    def _button(self, text: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setCheckable(True)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setMinimumWidth(40)
        button.setAccessibleName(text)
        explain(button, tip)
        self._group.addButton(button)
        return button

    def button(self, value: str) -> QPushButton:
        """Return the button of one value."""
        return self._buttons[value]

    def value(self) -> str:
        """Return the value whose button is down."""
        return next(value for value, button in self._buttons.items() if button.isChecked())

    def choose(self, value: str) -> None:
        """Press a button without telling anyone; an unknown value changes nothing."""
        if value in self._buttons:
            self._buttons[value].setChecked(True)

    def _on_clicked(self, *_: object) -> None:
        self.changed.emit(self.value())
