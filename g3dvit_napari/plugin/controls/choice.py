"""A drop-down list of (value, text) pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QWidget


class Choice(QComboBox):
    """A drop-down list that never widens the form and ignores a passing mouse wheel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setMaxVisibleItems(16)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: Any) -> None:
        """Scroll the form, not the choice, unless the choice was clicked before."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def offer(self, options: Mapping[Any, str], chosen: Any = None) -> None:
        """Replace the options without telling anyone; keep `chosen` if it is among them."""
        blocked = self.blockSignals(True)
        self.clear()
        for value, text in options.items():
            self.addItem(text, value)
        self.choose(chosen)
        self.blockSignals(blocked)

    def values(self) -> list[Any]:
        """Return the values on offer, in order."""
        return [self.itemData(index) for index in range(self.count())]

    def value(self) -> Any:
        """Return the chosen value."""
        return self.currentData()

    def choose(self, value: Any) -> bool:
        """Choose a value; return whether it is on offer."""
        found = [i for i, known in enumerate(self.values()) if known == value]
        if found:
            self.setCurrentIndex(found[0])
        return bool(found)

    def forbid(self, value: Any, reason: str) -> None:
        """Grey one option out and say why in its tooltip; no reason: allow it."""
        item = self.model().item(self.values().index(value))
        item.setEnabled(not reason)
        item.setToolTip(reason)
