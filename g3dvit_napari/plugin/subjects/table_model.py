"""The list as Qt wants it: cells are made when they are looked at, so thousands of rows are few."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QBrush, QColor, QIcon, QPainter, QPixmap

from g3dvit_napari.plugin.subjects.columns import COLUMNS, rated_another_method, rating, row_words
from g3dvit_napari.plugin.subjects.ledger import Ledger

COLOURS = {"pass": "#3aa76d", "unsure": "#d08818", "fail": "#e05248"}  # on dark and on light
_DOT = 10  # px
_QUIET = "#8a8a90"
_NUMBERS = 0x0082  # right and centred, as the plain number that every binding takes


class TableModel(QAbstractTableModel):
    """Shows the rows of a ledger that a filter leaves, in the order that was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._ledger = Ledger()
        self._sorted_by: tuple[int, bool] | None = None  # column, descending
        self._filter = ""
        self.keys: list[str] = []  # what is shown, from top to bottom
        self._rows: dict[str, int] = {}

    def show(self, ledger: Ledger) -> None:
        """Show another list."""
        self._ledger = ledger
        self._arrange()

    def filter(self, words: str) -> None:
        """Show the rows that hold all of these words."""
        self._filter = words.casefold()
        self._arrange()

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; -1: as the list has it."""
        descending = order == Qt.SortOrder.DescendingOrder
        self._sorted_by = None if column < 0 else (column, descending)
        self._arrange()

    def refresh(self, key: str) -> None:
        """Draw a row anew; it stays where it is, so that nothing runs away from the mouse."""
        row = self._rows.get(key)
        if row is not None:
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))

    def refresh_all(self) -> None:
        """Draw all rows anew."""
        if self.keys:
            last = self.index(len(self.keys) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def row_of(self, key: str) -> int | None:
        """Return where a subject is shown."""
        return self._rows.get(key)

    def _arrange(self) -> None:
        self.beginResetModel()
        words = self._filter.split()
        keys = [subject.key for subject in self._ledger.subjects]
        if words:
            rows = {key: row_words(self._ledger, key) for key in keys}
            keys = [key for key in keys if all(word in rows[key] for word in words)]
        if self._sorted_by is not None:
            column, descending = self._sorted_by
            keys = self._sorted(keys, column, descending)
        self.keys = keys
        self._rows = {key: row for row, key in enumerate(keys)}
        self.endResetModel()

    def _sorted(self, keys: list[str], column: int, descending: bool) -> list[str]:
        """Return keys by what a column sorts by; those without it are last in both directions."""
        found = {key: COLUMNS[column].order(self._ledger, key) for key in keys}
        known = [key for key in keys if found[key] is not None]
        known.sort(key=found.__getitem__, reverse=descending)
        return known + [key for key in keys if found[key] is None]

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of rows shown."""
        return 0 if parent is not None and parent.isValid() else len(self.keys)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        """Return a column's title, or what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return what a cell says, its tooltip, or its colour."""
        column, key = COLUMNS[index.column()], self.keys[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(self._ledger, key)
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return dot(rating(self._ledger, key))
        if role == Qt.ItemDataRole.ToolTipRole:
            return as_tip(column.hint(self._ledger, key))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{column.title} {column.text(self._ledger, key)}"
        if role == Qt.ItemDataRole.TextAlignmentRole and column.is_number:
            return _NUMBERS
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._ink(index.column(), key)
        return None

    def _ink(self, column: int, key: str) -> QBrush | None:
        """Colour failures; what answers an earlier question is grey."""
        ledger = self._ledger
        if COLUMNS[column].title == "Map" and (outcome := ledger.outcomes.get(key)):
            if outcome.error:
                return QBrush(QColor(COLOURS["fail"]))
            if outcome.status != "ok":
                return QBrush(QColor(COLOURS["unsure"]))
        if COLUMNS[column].title == "Prediction" and ledger.is_right(key) is False:
            return QBrush(QColor(COLOURS["fail"]))
        if column == 0:
            return QBrush(QColor(_QUIET)) if rated_another_method(ledger, key) else None
        stale = key in ledger.outcomes and not ledger.is_answered(key)
        return QBrush(QColor(_QUIET)) if stale and 1 < column < len(COLUMNS) - 1 else None


@cache
def dot(given: str) -> QIcon | None:
    """Return a dot in the colour of a rating, which a selected row does not take away."""
    if given not in COLOURS:
        return None
    picture = QPixmap(_DOT, _DOT)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(COLOURS[given]))
    painter.drawEllipse(1, 1, _DOT - 2, _DOT - 2)
    painter.end()
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)
    return icon


def as_tip(text: str) -> str:
    """Return text, maybe from a file, as a tooltip that wraps and takes nothing for markup."""
    return f"<qt>{escape(text).replace(chr(10), '<br>')}</qt>" if text else ""
