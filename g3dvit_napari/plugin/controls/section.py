"""Groups of the form: a heading, and rows of aligned labels and controls."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

LABEL_WIDTH = 78
_ROW_HEIGHT = 24
_SPACING = 6
_HEADING = "font-weight: 600; letter-spacing: 0.5px; padding: 0px;"
_NOTE = "color: rgb(132, 132, 138); padding: 0px;"  # readable on dark and on light
REASON = "g3dvit_reason"  # Qt property: why the control cannot be used; empty while it can
_TIP = "g3dvit_tip"  # Qt property: the tooltip while the control is enabled


class Rows(QWidget):
    """Rows of label and control; a hidden row takes no room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[QWidget, QWidget] = {}  # control: the row it stands in
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(_SPACING)

    def add_row(self, label: str, control: QWidget, tip: str) -> QWidget:
        """Add a labelled control with its tooltip, and return the control."""
        caption = QLabel(label)
        caption.setFixedWidth(LABEL_WIDTH)
        caption.setBuddy(control)
        caption.setToolTip(tip)
        caption.setStyleSheet("padding: 0px;")
        control.setMinimumHeight(_ROW_HEIGHT)
        for widget in (control, control.focusProxy()):
            if widget is None:  # an empty list is false, so `or` would not do
                continue
            widget.setAccessibleName(label.replace("&", ""))
            explain(widget, tip)
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(caption)
        layout.addWidget(control, 1)
        return self._add(control, row)

    def add_wide(self, control: QWidget) -> QWidget:
        """Add something that takes the whole width."""
        return self._add(control, control)

    def show_row(self, control: QWidget, visible: bool) -> None:
        """Show or hide a control together with its label."""
        self._rows[control].setVisible(visible)

    def clear(self) -> None:
        """Remove every row."""
        for row in self._rows.values():
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows = {}

    def _add(self, control: QWidget, row: QWidget) -> QWidget:
        self._rows[control] = row
        self._column.addWidget(row)
        return control


class Section(Rows):
    """Rows under a heading and a thin line."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        heading = QLabel(title)
        heading.setStyleSheet(_HEADING)
        line = QFrame()
        line.setFixedHeight(1)
        line.setStyleSheet("background-color: rgba(130, 130, 140, 110); border: none;")
        self._column.addWidget(heading)
        self._column.addWidget(line)


def explain(control: QWidget, tip: str) -> None:
    """Give a control the tooltip that it has while it can be used."""
    control.setProperty(_TIP, tip)
    control.setToolTip(tip)


def allow(control: QWidget, reason: str = "") -> None:
    """Enable a control, or disable it and say why in its tooltip and in those of its parts."""
    control.setEnabled(not reason)
    control.setProperty(REASON, reason)
    for part in (control, *control.findChildren(QWidget)):
        tip = part.property(_TIP) or ""
        if part is control or tip:  # a part may have a reason of its own
            why = reason or part.property(REASON) or ""
            part.setToolTip(f"{why}\n\n{tip}".strip() if why else tip)


def words() -> QLabel:
    """Return a label that wraps, can be copied, and never takes text from files for markup."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def note(text: str = "") -> QLabel:
    """Return a quiet label that wraps and whose text can be copied."""
    label = words()
    label.setText(text)
    label.setStyleSheet(_NOTE)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    label.setVisible(bool(text))
    return label


def set_note(label: QLabel, text: str) -> None:
    """Change a note; an empty one takes no room."""
    label.setText(text)
    label.setVisible(bool(text))


def browse_button(tip: str) -> QPushButton:
    """Return the small button that opens a file dialog."""
    button = QPushButton("…")
    button.setFixedWidth(30)
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


def row_of(*buttons: QWidget, spacing: int = 6) -> QWidget:
    """Return controls in one row that share its width."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for button in buttons:
        layout.addWidget(button, 1)
    return row
