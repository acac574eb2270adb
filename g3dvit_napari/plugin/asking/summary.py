"""What a network is, in a few lines of the form."""

from __future__ import annotations

import html
from collections.abc import Mapping

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QWidget

from g3dvit_napari.plugin.controls.section import LABEL_WIDTH, note


class Summary(QWidget):
    """A small table; hidden while there is nothing to tell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = QGridLayout(self)
        self._table.setContentsMargins(0, 0, 0, 0)
        self._table.setHorizontalSpacing(4)
        self._table.setVerticalSpacing(2)
        self._table.setColumnMinimumWidth(0, LABEL_WIDTH)
        self._table.setColumnStretch(1, 1)
        self.known = False  # whether there is anything to tell
        self.hide()

    def show_rows(self, rows: Mapping[str, str]) -> None:
        """Show what `ModelHandle.summary` says; all of it stands in the tooltip."""
        while self._table.count():
            self._table.takeAt(0).widget().deleteLater()
        for line, (name, text) in enumerate(_digest(rows).items()):
            caption, value = note(name), note(text)
            caption.setAlignment(Qt.AlignmentFlag.AlignTop)
            value.setStyleSheet("padding: 0px;")
            self._table.addWidget(caption, line, 0)
            self._table.addWidget(value, line, 1)
        tip = html.escape("\n".join(f"{name}: {value}" for name, value in rows.items()))
        self.setToolTip(f'<p style="white-space: pre">{tip}</p>')  # class names come from files
        self.known = bool(rows)
        self.setVisible(self.known)


def in_one_line(rows: Mapping[str, str]) -> str:
    """Return the most of it: what it is, how large, and where it runs."""
    if not rows:
        return ""
    return f"{rows['architecture']} · {rows['parameters']} weights · {rows['device']}"


def _digest(rows: Mapping[str, str]) -> dict[str, str]:
    """Return the few lines that tell networks apart."""
    if not rows:
        return {}
    return {
        "Network": rows["architecture"],
        "Parameters": rows["parameters"],
        "Grid": rows.get("image", "—"),
        "Patches": f"{rows.get('patches', '—')} of {rows.get('patch', '—')}".replace(" × ", "×"),
        "Classes": rows["classes"],
        "Runs on": rows["device"],
    }
