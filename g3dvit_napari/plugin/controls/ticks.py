"""A list of things to tick, under headings; what cannot be had is grey and says why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from g3dvit_napari.plugin.controls.section import explain

ROWS = (3, 8)  # of the list, at least and at most
ROW_HEIGHT = 16  # pixels, where there is no row to ask
_ROLE = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Tick:
    """A line of the list; a heading has no value.

    ticked
        Whether it is ticked until the user says otherwise.
    reason
        Why it cannot be ticked; empty: it can.
    """

    title: str
    value: str | None = None
    ticked: bool = False
    tip: str = ""
    reason: str = ""


class TickList(QListWidget):
    """Lines with ticks; what the user ticked stays so when the lines are offered anew."""

    changed = Signal()

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chosen: dict[str, bool] = {}  # by value, as the user wished
        self.setAccessibleName(name)
        explain(self, tip)
        self.itemChanged.connect(self._on_ticked)
        self.offer(())

    def offer(self, ticks: Iterable[Tick]) -> None:
        """Replace the lines."""
        blocked, row = self.blockSignals(True), self.currentRow()
        self.clear()
        for tick in ticks:
            self.addItem(self._line(tick))
        self.setCurrentRow(min(row, self.count() - 1))
        self.blockSignals(blocked)
        rows = min(max(self.count(), ROWS[0]), ROWS[1])
        self.setFixedHeight(rows * max(self.sizeHintForRow(0), ROW_HEIGHT) + 6)

    @property
    def ticked(self) -> tuple[str, ...]:
        """The values that are ticked and can be had, from top to bottom."""
        items = (self.item(row) for row in range(self.count()))
        on = Qt.CheckState.Checked
        return tuple(item.data(_ROLE) for item in items if item.checkState() == on)

    def tick(self, value: str, on: bool = True) -> None:
        """Tick a line, or take its tick away, as the user does."""
        for row in range(self.count()):
            if self.item(row).data(_ROLE) == value:
                state = Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
                self.item(row).setCheckState(state)

    def _line(self, tick: Tick) -> QListWidgetItem:
        line = QListWidgetItem(tick.title)
        line.setData(_ROLE, tick.value)
        line.setToolTip("\n\n".join(filter(None, (tick.reason, tick.tip))))
        if tick.value is None:
            line.setFlags(Qt.ItemFlag.NoItemFlags)
            font = line.font()
            font.setBold(True)
            line.setFont(font)
            return line
        ticked = self._chosen.get(tick.value, tick.ticked) and not tick.reason
        line.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        free = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        line.setFlags(
            Qt.ItemFlag.NoItemFlags if tick.reason else free | Qt.ItemFlag.ItemIsUserCheckable
        )
        return line

    def _on_ticked(self, item: QListWidgetItem) -> None:
        self._chosen[item.data(_ROLE)] = item.checkState() == Qt.CheckState.Checked
        self.changed.emit()
