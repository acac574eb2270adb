"""The form's group for comparing methods: which ones, and the way back to one map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QWidget

from g3dvit_napari.core.registry import Entry
from g3dvit_napari.plugin.asking.method_list import (
    FIRST,
    RECOMMENDED,
    UNSERVED,
    grouped,
    tip_of,
    titled,
)
from g3dvit_napari.plugin.controls.section import Section, allow, explain

USUAL = (FIRST, RECOMMENDED, "grad_cam", "hires_cam")
FEWEST, ROWS = 2, 8
_NO_MODEL = "Load a checkpoint first."


class CompareBox(Section):
    """A list of methods with marks, and two buttons."""

    compare_requested = Signal(object)  # names of the marked methods, in the list's order
    end_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Compare methods", parent)
        self.unfold = QPushButton("Choose methods …")
        self.unfold.setCheckable(True)
        explain(self.unfold, "Show or hide the list of methods to compare.")
        self.list = QListWidget()
        self.list.setAccessibleName("Methods to compare")
        self.list.setFixedHeight(ROWS * 22)
        self.list.setVisible(False)
        self.go, self.back = QPushButton("Compare"), QPushButton("Back to one map")
        explain(
            self.go,
            "Compute the marked methods for the same volume and class, and show them side by\n"
            "side on one scale. The threshold then moves all of them.",
        )
        explain(self.back, "Remove the comparison and show again what was there before.")
        self.add_wide(self.unfold)
        self.add_wide(self.list)
        self.add_wide(self._buttons())
        self._reason, self._running = _NO_MODEL, False
        self.show_comparison(False)
        self.unfold.toggled.connect(self.list.setVisible)
        self.list.itemChanged.connect(self._on_marked)
        self.go.clicked.connect(self._on_go)
        self.back.clicked.connect(self.end_requested)

    def _buttons(self) -> QWidget:
        both = QWidget()
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.go)
        row.addWidget(self.back)
        return both

    @property
    def marked(self) -> list[str]:
        """The names of the marked methods."""
        items = (self.list.item(row) for row in range(self.list.count()))
        return [
            str(item.data(Qt.ItemDataRole.UserRole))
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]

    def offer_methods(self, entries: Iterable[Entry], reasons: Mapping[str, str]) -> None:
        """List what the network can serve; what was marked stays so, at first the usual ones."""
        marked: Sequence[str] = self.marked or USUAL
        blocked = self.list.blockSignals(True)
        self.list.clear()
        for title, members in grouped(entries, reasons).items():
            if title != UNSERVED:
                self._add_heading(title)
                for entry in members:
                    self._list(entry, entry.name in marked)
        self.list.blockSignals(blocked)
        self._adapt()

    def show_reason(self, reason: str) -> None:
        """Say why nothing can be compared yet; empty: it can."""
        self._reason = reason
        self._adapt()

    def show_comparison(self, running: bool) -> None:
        """Offer the way back while a comparison is shown."""
        self._running = running
        self._adapt()

    def _add_heading(self, title: str) -> None:
        item = QListWidgetItem(title)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        font = item.font()
        font.setBold(True)
        item.setFont(font)
        self.list.addItem(item)

    def _list(self, entry: Entry, marked: bool) -> None:
        item = QListWidgetItem(titled(entry))
        item.setData(Qt.ItemDataRole.UserRole, entry.name)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(Qt.CheckState.Checked if marked else Qt.CheckState.Unchecked)
        item.setToolTip(tip_of(entry))
        self.list.addItem(item)

    def _adapt(self) -> None:
        count = len(self.marked)
        self.go.setText(f"Compare {count}" if count >= FEWEST else "Compare")
        few = "" if count >= FEWEST else "Mark at least two methods in the list."
        allow(self.go, self._reason or few)
        allow(self.unfold, "" if self.list.count() else _NO_MODEL)
        allow(self.back, "" if self._running else "No comparison is shown.")

    def _on_marked(self, _item: object) -> None:
        self._adapt()

    def _on_go(self) -> None:
        self.compare_requested.emit(self.marked)
