"""A titled group of the form: aligned labels, a tooltip on every control, reasons when disabled."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

LABEL_WIDTH = 70
_HEADING = "font-weight: 600; letter-spacing: 0.5px; padding: 0px;"
_NOTE = "color: rgb(150, 150, 155); padding: 0px;"
_TIP = "g3dvit_tip"  # Qt property: the tooltip while the control is enabled


class Section(QWidget):
    """A heading, a thin line, and rows of label and control."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        heading = QLabel(title)
        heading.setStyleSheet(_HEADING)
        line = QFrame()
        line.setFixedHeight(1)
        line.setStyleSheet("background-color: rgba(130, 130, 140, 110); border: none;")
        self._rows = QFormLayout()
        self._rows.setContentsMargins(0, 4, 0, 0)
        self._rows.setHorizontalSpacing(8)
        self._rows.setVerticalSpacing(6)
        self._rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(heading)
        layout.addWidget(line)
        layout.addLayout(self._rows)

    def add_row(self, label: str, control: QWidget, tip: str) -> QWidget:
        """Add a labelled control with its tooltip, and return the control."""
        caption = QLabel(label)
        caption.setFixedWidth(LABEL_WIDTH)
        caption.setBuddy(control)
        caption.setToolTip(tip)
        control.setAccessibleName(label.replace("&", ""))
        explain(control, tip)
        self._rows.addRow(caption, control)
        return control

    def add_wide(self, control: QWidget) -> QWidget:
        """Add something that takes the whole width."""
        self._rows.addRow(control)
        return control

    def set_row_visible(self, control: QWidget, visible: bool) -> None:
        """Show or hide a control together with its label."""
        control.setVisible(visible)
        label = self._rows.labelForField(control)
        if label is not None:
            label.setVisible(visible)


def explain(control: QWidget, tip: str) -> None:
    """Give a control the tooltip that it has while it can be used."""
    control.setProperty(_TIP, tip)
    control.setToolTip(tip)


def allow(control: QWidget, reason: str = "") -> None:
    """Enable a control, or disable it and say why in its tooltip."""
    control.setEnabled(not reason)
    tip = control.property(_TIP) or ""
    control.setToolTip(f"{reason}\n\n{tip}".strip() if reason else tip)


def note(text: str = "") -> QLabel:
    """Return a quiet label that wraps and whose text can be copied."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setStyleSheet(_NOTE)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    label.setVisible(bool(text))
    return label


def set_note(label: QLabel, text: str) -> None:
    """Change a note; an empty one takes no room."""
    label.setText(text)
    label.setVisible(bool(text))


class Choice(QComboBox):
    """A list of (text, value) that never widens the form."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setMaxVisibleItems(16)

    def offer(self, options: dict[Any, str], chosen: Any = None) -> None:
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
        """Grey one option out and say why in its tooltip."""
        index = self.values().index(value)
        item = self.model().item(index)
        item.setEnabled(not reason)
        item.setToolTip(reason)


def browse_button(tip: str) -> QToolButton:
    """Return the small button that opens a file dialog."""
    button = QToolButton()
    button.setText("…")
    button.setAccessibleName(tip)
    explain(button, tip)
    return button


def side_by_side(wide: QWidget, narrow: QWidget) -> QWidget:
    """Return two controls in one row; the label's shortcut reaches the wide one."""
    both = QWidget()
    layout = QHBoxLayout(both)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    layout.addWidget(wide, 1)
    layout.addWidget(narrow)
    both.setFocusProxy(wide)
    return both
