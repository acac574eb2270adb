"""The form's group for comparing: what differs, which of it, and the way back to one map."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QWidget,
)

from g3dvit_napari.core.registry import Entry
from g3dvit_napari.plugin.asking.model_box import CHECKPOINT_ENDINGS
from g3dvit_napari.plugin.comparing.kinds import KINDS, WHAT, Item, Kind, Plan, items_of, why_not
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Section, allow, explain, note, row_of, set_note
from g3dvit_napari.plugin.jobs import LoadedModel

FEWEST = 2
ROWS = (3, 8)  # of the list, at least and at most
ROW_HEIGHT = 16  # pixels, where there is no row to ask
_NO_MODEL = "Load a checkpoint first."
_FILTER = f"Checkpoints ({' '.join('*' + e for e in CHECKPOINT_ENDINGS)});;All files (*)"
_ROLE = Qt.ItemDataRole.UserRole


class CompareBox(Section):
    """What differs, a list with marks, and two buttons."""

    compare_requested = Signal(object)  # a Plan, in the list's order
    end_requested = Signal()
    marked = Signal()  # or no longer

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Compare", parent)
        self.kinds = Choice()
        self.kinds.offer(dict(KINDS), "methods")
        self.add_row("&Between", self.kinds, "What differs between the maps.")
        self.what = note(WHAT["methods"])
        self.add_wide(self.what)
        self.list = QListWidget()
        self.list.setAccessibleName("What to compare")
        explain(self.list, "Mark what to compare, by mouse or with the space bar.")
        self.add_wide(self.list)
        self.add_file = QPushButton("Add checkpoints …")
        explain(self.add_file, "Choose further checkpoint files to explain the same volume.")
        self.add_wide(self.add_file)
        self.seed = QSpinBox()
        self.seed.setRange(0, 9999)
        self.add_row("&Seed", self.seed, "Which random weights: the same seed draws the same ones.")
        self.go, self.back = _buttons()
        self.add_wide(row_of(self.go, self.back))
        self.failed = note()
        self.add_wide(self.failed)
        self._model: LoadedModel | None = None
        self._entry: Entry | None = None
        self._files: list[str] = []
        self._marks: dict[Kind, set[str]] = {}  # what the user marked, by title
        self._reason, self._running = _NO_MODEL, False
        self._list_items()
        self.kinds.currentIndexChanged.connect(self._on_kind_changed)
        self.list.itemChanged.connect(self._on_marked)
        self.add_file.clicked.connect(self._on_add_file)
        self.go.clicked.connect(self._on_go)
        self.back.clicked.connect(self.end_requested)

    @property
    def kind(self) -> Kind:
        """What differs."""
        return self.kinds.value()

    @property
    def plan(self) -> Plan:
        """What is marked."""
        items = (self.list.item(row) for row in range(self.list.count()))
        marked = (i.data(_ROLE).variant for i in items if i.checkState() == Qt.CheckState.Checked)
        return Plan(self.kind, tuple(marked), self.seed.value())

    def offer_model(self, model: LoadedModel | None) -> None:
        """Offer what a network has; what was marked stays so where it is still on offer."""
        self._model = model
        self._list_items()

    @property
    def marks(self) -> list[str]:
        """The titles of the marked lines."""
        items = (self.list.item(row) for row in range(self.list.count()))
        return [i.text() for i in items if i.checkState() == Qt.CheckState.Checked]

    def mark_methods(self, titles: list[str]) -> None:
        """Mark methods by their titles; none: the usual ones."""
        if titles:
            self._marks["methods"] = set(titles)
            self._list_items()

    def show_method(self, entry: Entry | None) -> None:
        """Take note of the method that is asked, where it is the same for all maps."""
        self._entry = entry
        self._adapt()

    def add_files(self, paths: list[str]) -> None:
        """Add checkpoints to the list."""
        self._files += [path for path in paths if path not in self._files]
        self._list_items()

    def show_reason(self, reason: str) -> None:
        """Say why nothing can be compared yet; empty: it can."""
        self._reason = reason
        self._adapt()

    def show_comparison(self, running: bool, failed: tuple[str, ...] = ()) -> None:
        """Offer the way back while a comparison is shown; name what could not be had."""
        self._running = running
        set_note(self.failed, "\n".join(failed))
        self._adapt()

    def _list_items(self) -> None:
        marks = self._marks.get(self.kind)
        blocked = self.list.blockSignals(True)
        self.list.clear()
        for item in items_of(self.kind, self._model, self._files) if self._model else ():
            self.list.addItem(_line(item, item.marked if marks is None else item.title in marks))
        self.list.blockSignals(blocked)
        rows = min(max(self.list.count(), ROWS[0]), ROWS[1])
        self.list.setFixedHeight(rows * max(self.list.sizeHintForRow(0), ROW_HEIGHT) + 6)
        self.show_row(self.seed, self.kind == "randomised")
        self.show_row(self.add_file, self.kind == "checkpoints")
        self._adapt()

    def _adapt(self) -> None:
        count = len(self.plan.variants)
        self.go.setText(f"Compare {count}" if count >= FEWEST else "Compare")
        impossible = why_not(self.kind, self._model, self._entry) if self._model else ""
        few = "" if count >= FEWEST else "Mark at least two lines of the list."
        set_note(self.what, impossible or WHAT[self.kind])
        allow(self.go, self._reason or impossible or few)
        allow(self.list, "" if self._model else _NO_MODEL)
        allow(self.add_file, "" if self._model else _NO_MODEL)
        allow(self.back, "" if self._running else "No comparison is shown.")

    def _on_kind_changed(self, _index: int) -> None:
        self._list_items()

    def _on_marked(self, _item: object) -> None:
        self._marks[self.kind] = set(self.marks)
        self._adapt()
        self.marked.emit()

    def _on_add_file(self) -> None:
        folder = str(Path(self._files[-1]).parent) if self._files else ""
        paths, _ = QFileDialog.getOpenFileNames(self, "Add checkpoints", folder, _FILTER)
        self.add_files(paths)

    def _on_go(self) -> None:
        self.compare_requested.emit(self.plan)


def _line(item: Item, marked: bool) -> QListWidgetItem:
    line = QListWidgetItem(item.title)
    line.setData(_ROLE, item)
    line.setToolTip(item.tip)
    if item.variant is None:
        line.setFlags(Qt.ItemFlag.NoItemFlags)
        font = line.font()
        font.setBold(True)
        line.setFont(font)
        return line
    flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
    line.setFlags(flags if item.fixed else flags | Qt.ItemFlag.ItemIsUserCheckable)
    checked = Qt.CheckState.Checked if marked or item.fixed else Qt.CheckState.Unchecked
    line.setCheckState(checked)
    return line


def _buttons() -> tuple[QPushButton, QPushButton]:
    go, back = QPushButton("Compare"), QPushButton("Back to one map")
    explain(
        go,
        "Compute what is marked for the same volume, and show it side by side.\n"
        "The threshold then moves all maps.",
    )
    explain(back, "Remove the comparison and show again what was there before.")
    return go, back
