"""The page "QA": the list, the way through it, and the rating of the subject on show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QLineEdit,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from g3dvit_napari.io.subjects import Kind
from g3dvit_napari.plugin.controls.page import Page
from g3dvit_napari.plugin.controls.section import (
    Section,
    allow,
    explain,
    note,
    row_of,
    set_note,
    words,
)
from g3dvit_napari.plugin.subjects.rating_box import RatingBox
from g3dvit_napari.plugin.subjects.table import SubjectTable

TIP = "Subject after subject: predictions, figures and ratings of a list of volumes."
_EMPTY = (
    "Open a folder of volumes, a BIDS dataset, or a table (TSV) with a column 'path' and, if you "
    "like, participant_id, session and label (the true class). Or drop one here."
)
_NO_MAP = "No map is on show."
_NO_LIST = "Open a list first."
_FILTER_MS = 150
_ALL_ROOM = 1000  # against the 1 of the room that pages leave at their end
_KINDS: dict[Kind, str] = {"folder": "&Folder …", "bids": "&BIDS dataset …", "table": "&Table …"}


class SubjectPage(Page):
    """Shows a list and asks for what is to be done with it."""

    open_requested = Signal(str, object)  # where; its kind, None: judged by the place
    study_requested = Signal(str)  # the folder that made-up subjects are written to
    run_requested = Signal(bool)  # whether only what is missing
    step_requested = Signal(int)
    peak_requested = Signal()
    in_sight = Signal(bool)  # whether this page can be seen

    def __init__(self) -> None:
        super().__init__()
        self.list, self.rating = QWidget(), RatingBox()
        self.table, self.filter = SubjectTable(), QLineEdit()
        self.open, self.again = QPushButton("Open list …"), QPushButton()
        self.run_all, self.run_missing = QPushButton("Run &all"), QPushButton("Run &missing")
        self.previous, self.next = QPushButton("◀ &Previous"), QPushButton("&Next ▶")
        self.peak = QPushButton("Jump to pea&k")
        self.about, self.place, self.state = note(_EMPTY), note(), words()
        self.folder = ""
        self._lay_out()
        self._explain()
        self._last = ""
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_FILTER_MS)
        self._pause.timeout.connect(lambda: self.table.rows.filter(self.filter.text()))
        self._wire()
        self.show_list("", 0)
        self.offer_peak(False)

    def offer_again(self, path: str) -> None:
        """Offer the list of an earlier session."""
        self._last = path if path and Path(path).exists() else ""
        self.again.setText(f"Open {Path(path).name} again" if self._last else "")
        self.again.setVisible(bool(self._last))

    def show_list(self, about: str, count: int) -> None:
        """Say which list it is; no subject: there is none."""
        set_note(self.about, about if count else _EMPTY)
        for control in (
            self.filter, self.table, self.run_all, self.run_missing, self.previous, self.next,
        ):  # fmt: skip
            allow(control, "" if count else _NO_LIST)
        self.again.setVisible(not count and bool(self._last))

    def show_reason(self, reason: str) -> None:
        """Say why nothing can be run; empty: it can."""
        for button in (self.run_all, self.run_missing):
            allow(button, reason)

    def offer_peak(self, there: bool) -> None:
        """Let the peak be gone to, where there is one."""
        allow(self.peak, "" if there else _NO_MAP)

    def show_place(self, text: str, state: str = "") -> None:
        """Say which subject is on show, and what is the matter with it."""
        set_note(self.place, text)
        set_note(self.state, state)

    def showEvent(self, event: Any) -> None:
        """Keys are for the page that is in sight."""
        super().showEvent(event)
        self.in_sight.emit(True)

    def hideEvent(self, event: Any) -> None:
        """Let other pages have their keys."""
        super().hideEvent(event)
        self.in_sight.emit(False)

    def _lay_out(self) -> None:
        top = Section("Subjects")
        top.add_wide(row_of(self.open, self.again))
        top.add_wide(self.about)
        top.add_wide(self.filter)
        column = QVBoxLayout(self.list)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(top)
        column.addWidget(self.table, 1)
        column.addWidget(row_of(self.run_all, self.run_missing))
        column.addWidget(row_of(self.previous, self.next))
        column.addWidget(self.peak)
        column.addWidget(self.place)
        column.addWidget(self.state)
        column.addSpacing(8)
        column.addWidget(self.rating)
        self.add(self.list, _ALL_ROOM)

    def _explain(self) -> None:
        self.filter.setPlaceholderText("Filter: words of a row, as in: T1w fail")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Filter")
        self.state.setStyleSheet("color: rgb(208, 136, 24); padding: 0px;")
        tips = {
            self.open: "A folder of volumes, a BIDS dataset, or a table of paths (TSV).\n"
            "Or nine made-up subjects, for the sample brain network.",
            self.again: "The list that was open last, with its ratings.",
            self.filter: "Show the rows that hold all of these words: names, classes, ratings,\n"
            "notes, 'right', 'wrong', 'failed' …",
            self.run_all: "Predict and explain every subject shown, as the page Explain asks.\n"
            "Kept are the figures and the patch maps; volumes are read again when you go to them.",
            self.run_missing: "The same for those that were not answered yet.",
            self.previous: "The subject above. Key: Page Up",
            self.next: "The subject below. Key: Page Down",
            self.peak: "Move the slices to the strongest place of this subject's map.",
        }
        for control, tip in tips.items():
            explain(control, tip)
        explain(self.table, "A click on a subject, or the arrow keys, choose it.")

    def _wire(self) -> None:
        menu = QMenu(self.open)
        for kind, title in _KINDS.items():
            menu.addAction(title).triggered.connect(lambda *_, kind=kind: self._on_browse(kind))
        menu.addSeparator()
        menu.addAction("&Made-up subjects …").triggered.connect(lambda *_: self._on_study())
        self.open.setMenu(menu)
        self.again.clicked.connect(lambda *_: self.open_requested.emit(self._last, None))
        self.filter.textChanged.connect(lambda *_: self._pause.start())
        self.run_all.clicked.connect(lambda *_: self.run_requested.emit(False))
        self.run_missing.clicked.connect(lambda *_: self.run_requested.emit(True))
        self.peak.clicked.connect(lambda *_: self.peak_requested.emit())
        self.previous.clicked.connect(lambda *_: self.step_requested.emit(-1))
        self.next.clicked.connect(lambda *_: self.step_requested.emit(1))

    def _on_browse(self, kind: Kind) -> None:
        if kind == "table":
            path, _ = QFileDialog.getOpenFileName(
                self, "Open a table of volumes", self.folder, "Tables (*.tsv);;All files (*)"
            )
        else:
            path = QFileDialog.getExistingDirectory(self, "Open a list of volumes", self.folder)
        if path:
            self.folder = str(Path(path).parent)
            self.open_requested.emit(path, kind)

    def _on_study(self) -> None:
        title = "An empty folder for nine made-up subjects (3 MB)"
        if folder := QFileDialog.getExistingDirectory(self, title, self.folder):
            self.study_requested.emit(folder)
