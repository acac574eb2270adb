"""The list in sight: one row is the subject on show."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QModelIndex, QSize, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from g3dvit_napari.plugin.subjects.columns import COLUMNS, TRUTH
from g3dvit_napari.plugin.subjects.table_model import TableModel

_ROW = 22  # px
_LOWEST = 150
_AIR = 8
_WIDEST = {"Subject": 140, "Prediction": 170, TRUTH: 100}
_WIDE = 90  # px, the most that any other column takes
_STYLE = "QTableView { border: 1px solid rgba(130, 130, 140, 90); }"


class SubjectTable(QTableView):
    """A table that is sorted by its headings and never asks for more width than there is."""

    chosen = Signal(str)  # the key of the subject that the user went to

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = TableModel()
        self.setModel(self.rows)
        self.setAccessibleName("Subjects")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setIconSize(QSize(10, 10))
        self.setWordWrap(False)
        self.setMinimumHeight(_LOWEST)
        self.setStyleSheet(_STYLE)
        self.setTabKeyNavigation(False)  # Tab leaves the table, arrows go through it
        lines = self.verticalHeader()
        lines.hide()
        lines.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        lines.setDefaultSectionSize(_ROW)
        heads = self.horizontalHeader()
        heads.setStretchLastSection(True)
        heads.setHighlightSections(False)
        heads.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        heads.setSectionsClickable(True)
        heads.setSortIndicatorShown(True)
        heads.sortIndicatorChanged.connect(self._on_sorted)
        for number, column in enumerate(COLUMNS):
            self.setColumnWidth(number, column.width)
        self._key = ""
        self._quiet = False
        self.rows.modelReset.connect(self._on_reset)
        self._listen()

    @property
    def key(self) -> str:
        """The subject that was gone to last; it may be hidden by the filter."""
        return self._key

    def choose(self, key: str) -> None:
        """Mark a subject without telling anyone."""
        self._key = key
        row = self.rows.row_of(key)
        self._quiet = True
        try:
            if row is None:
                self.clearSelection()
                self.setCurrentIndex(QModelIndex())
            else:
                here = self.rows.index(row, max(self.currentIndex().column(), 0))
                self.setCurrentIndex(here)
                self.selectRow(row)
        finally:
            self._quiet = False

    def unmark(self) -> None:
        """Mark no subject; `neighbour` goes on from the last one."""
        key = self._key
        self.choose("")
        self._key = key

    def neighbour(self, step: int) -> str:
        """Return the subject so many rows below the present one; nothing beyond the ends."""
        row, keys = self.rows.row_of(self._key), self.rows.keys
        end = 0 if step > 0 else len(keys) - 1
        wanted = end if row is None else row + step
        return keys[wanted] if 0 <= wanted < len(keys) else ""

    def fit(self, with_truth: bool) -> None:
        """Give columns the width that titles and cells need, and hide what no list of this has."""
        titles = [column.title for column in COLUMNS]
        self.setColumnHidden(titles.index(TRUTH), not with_truth)
        for place in range(len(COLUMNS)):
            title = self.horizontalHeader().sectionSizeHint(place)
            self._widen(place, self.sizeHintForColumn(place) + _AIR, title)

    def grow(self, key: str) -> None:
        """Widen columns for what has come into a row; none becomes narrower."""
        row = self.rows.row_of(key)
        if row is None:
            return
        for place in range(len(COLUMNS)):
            wanted = self.sizeHintForIndex(self.rows.index(row, place)).width() + _AIR
            self._widen(place, wanted, self.columnWidth(place))

    def _widen(self, place: int, wanted: int, least: int) -> None:
        if not self.isColumnHidden(place):
            most = _WIDEST.get(COLUMNS[place].title, _WIDE)
            self.setColumnWidth(place, max(min(wanted, most), least))

    def _listen(self) -> None:
        self.selectionModel().currentRowChanged.connect(self._on_row_changed)

    def _on_reset(self) -> None:
        self.choose(self._key)

    def _on_sorted(self, column: int, order: Any) -> None:
        self.rows.sort(column, order)

    def _on_row_changed(self, now: QModelIndex, _before: QModelIndex) -> None:
        if self._quiet or not now.isValid():
            return
        self._key = self.rows.keys[now.row()]
        self.chosen.emit(self._key)
