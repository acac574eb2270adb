"""A compact table: sorted by its headers, walked by mouse and keys, copied as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QGuiApplication, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from g3dvit_napari.plugin.controls.column import Column
from g3dvit_napari.plugin.controls.section import explain

_ROW_HEIGHT = 19
WIDEST, _PADDING = 124, 13  # of a column of words; beside the words of any column
_STYLE = (
    "QTableView { border: none; font-size: 11px; }"
    "QHeaderView::section { padding: 5px 3px 3px 3px; border: none; font-size: 11px; }"
    "QHeaderView::up-arrow, QHeaderView::down-arrow"
    " { subcontrol-position: top center; width: 7px; height: 4px; }"
)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class RowModel(QAbstractTableModel):
    """Rows of one kind and their columns, sorted where asked; rows without a value stay last."""

    def __init__(self, columns: Sequence[Column], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.columns, self.rows = tuple(columns), []  # type: tuple[Column, ...], list[Any]
        self._given: tuple[Any, ...] = ()
        self._order: tuple[int, bool] | None = None

    def show(self, rows: Sequence[Any]) -> None:
        """Replace the rows; the order asked for stays."""
        self._given = tuple(rows)
        self._arrange()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many rows there are."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text or its side."""
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.shown(self.rows[index.row()])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column.right else _LEFT
        if role == Qt.ItemDataRole.ToolTipRole and column.hint is not None:
            return column.hint(self.rows[index.row()]) or None
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return a column's title, tip or side."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column.right else _LEFT
        if role == Qt.ItemDataRole.InitialSortOrderRole:
            return Qt.SortOrder.DescendingOrder if column.right else Qt.SortOrder.AscendingOrder
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; -1: as the rows were given."""
        falling = order == Qt.SortOrder.DescendingOrder
        self._order = (column, falling) if column >= 0 else None
        self._arrange()

    def _arrange(self) -> None:
        self.beginResetModel()
        self.rows = list(self._given)
        if self._order is not None:
            rank, falling = self.columns[self._order[0]].rank, self._order[1]
            known = [row for row in self.rows if rank(row) is not None]
            unknown = [row for row in self.rows if rank(row) is None]
            self.rows = sorted(known, key=rank, reverse=falling) + unknown
        self.endResetModel()


class RowTable(QTableView):
    """Shows rows; tells which one the user walked to or clicked."""

    chosen = Signal(object)  # the row

    def __init__(
        self, name: str, columns: Sequence[Column], tip: str, *, widest: int = WIDEST
    ) -> None:
        super().__init__()
        self._widest = widest  # of a column of words
        self._model = RowModel(columns, self)
        self.setModel(self._model)
        self.setAccessibleName(name)
        explain(self, tip)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setAlternatingRowColors(False)
        self.setStyleSheet(_STYLE)
        self.setMinimumHeight(6 * _ROW_HEIGHT)
        rows, titles = self.verticalHeader(), self.horizontalHeader()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(_ROW_HEIGHT)
        rows.setDefaultSectionSize(_ROW_HEIGHT)
        rows.hide()
        titles.setMinimumSectionSize(24)
        titles.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        titles.setHighlightSections(False)
        self.setSortingEnabled(True)
        self.clicked.connect(self._on_pressed)
        self.activated.connect(self._on_pressed)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, hidden ones too."""
        return self._model.columns

    @property
    def rows(self) -> list[Any]:
        """The rows as they are sorted."""
        return self._model.rows

    def show_rows(self, rows: Sequence[Any]) -> None:
        """Show other rows, in the order asked for; nothing is chosen by it."""
        self._model.show(rows)
        metrics = self.fontMetrics()
        for number, column in enumerate(self.columns):
            words = {column.title, *(column.shown(row) for row in rows)}
            width = max(metrics.horizontalAdvance(word) for word in words) + _PADDING
            self.setColumnWidth(number, width if column.right else min(width, self._widest))

    def fit_rows(self, most: int) -> None:
        """Be as high as the rows, up to so many."""
        rows = min(max(len(self.rows), 1), most) * _ROW_HEIGHT
        bar = self.horizontalScrollBar().sizeHint().height()
        height = self.horizontalHeader().sizeHint().height() + rows + bar
        height += 2 * self.frameWidth() + 2
        self.setMinimumHeight(height)
        self.setMaximumHeight(height)

    def hide_column(self, key: str, hidden: bool) -> None:
        """Leave a column out while it has nothing to say."""
        keys = [column.key for column in self.columns]
        self.setColumnHidden(keys.index(key), hidden)

    def text(self) -> str:
        """Return the table as it is sorted and written, for other programs."""
        lines = [[column.title for column in self.columns]]
        lines += [[c.shown(row) for c in self.columns] for row in self.rows]
        return "".join("\t".join(line) + "\n" for line in lines)

    def copy(self) -> None:
        """Put the table on the clipboard."""
        QGuiApplication.clipboard().setText(self.text())

    def keyPressEvent(self, event: Any) -> None:
        """Copy the table; with the arrows go from row to row, and there."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            return
        before = self.currentIndex().row()
        super().keyPressEvent(event)
        if self.currentIndex().row() != before:
            self._on_pressed(self.currentIndex())

    def _on_pressed(self, index: QModelIndex) -> None:
        if index.isValid():
            self.chosen.emit(self.rows[index.row()])
