"""A drop-down list of (value, text) pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QWidget

_RIGHT = Qt.TextElideMode.ElideRight


class Choice(QComboBox):
    """A drop-down list that never widens the form and ignores a passing mouse wheel.

    What is too long ends in "…", where Qt would cut through a letter.
    """

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

    @property
    def shown(self) -> str:
        """The chosen text as far as there is room for it."""
        option = self._option()
        part = QStyle.SubControl.SC_ComboBoxEditField
        kind = QStyle.ComplexControl.CC_ComboBox
        room = self.style().subControlRect(kind, option, part, self).width()
        return str(self.fontMetrics().elidedText(option.currentText, _RIGHT, room))

    def paintEvent(self, _event: Any) -> None:
        """Paint it as ever, but for the text."""
        painter, option = QStylePainter(self), self._option()
        option.currentText = self.shown
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def _option(self) -> QStyleOptionComboBox:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        return option

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
