"""The scores in a table, the curves behind them, and the way into files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QPushButton

from g3dvit_napari.core.registry import MetricEntry
from g3dvit_napari.core.score import Judgement
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Section, allow, explain, note, row_of, set_note
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.controls.table import RowTable
from g3dvit_napari.plugin.judging.columns import FLAGS, SCORES, rows_of, silent
from g3dvit_napari.plugin.judging.curve_plot import CurvePlot
from g3dvit_napari.plugin.judging.curves import Spacing, drawn, plotted

EMPTY = "No scores yet."
ROWS = 10  # of the table, before it scrolls


class ScoreBox(Section):
    """Shows what was measured of one method, or of all."""

    method_chosen = Signal(str)  # the name of the method whose scores are shown; empty: of all
    save_requested = Signal(str)  # a folder

    def __init__(self) -> None:
        super().__init__("Scores")
        self.folder = ""
        self.whose, self.of_what = Choice(), Choice()
        self.table = RowTable(
            "Scores",
            SCORES,
            "Every score beside chance; hover for more, Ctrl+C copies all.",
            widest=146,
        )
        self.marks, self.absent = note(), note()
        self.copy, self.save = QPushButton("Copy"), QPushButton("Save…")
        self.files, self.empty = row_of(self.copy, self.save), note(EMPTY)
        self.spacing = Switch(
            {
                "even": ("Even", "Equal steps: the area under a curve is its score."),
                "start": ("Enlarge start", "Room for the first per cent, which matter most."),
            }
        )
        self.plot = CurvePlot()
        self._judgements: Sequence[Judgement] = ()
        self._entries: Mapping[str, MetricEntry] = {}
        self._title_of: Callable[[str], str] = str
        self._lay_out()
        self._wire()
        self.show_scores((), {}, str)

    def _lay_out(self) -> None:
        self.add_row("&Whose", self.whose, "Of which method scores are shown.")
        self.add_wide(self.empty)
        self.add_wide(self.table)
        self.add_wide(self.marks)
        self.add_wide(self.absent)
        explain(self.copy, "Copy the table for a spreadsheet (Ctrl+C in the table).")
        explain(
            self.save,
            "Write all scores as CSV and JSON into a folder: with settings, reasons, curves, and\n"
            "where every map came from.",
        )
        self.add_wide(self.files)
        self.add_row("Cur&ve", self.of_what, "The curves behind which score are drawn.")
        self.add_wide(self.spacing)
        self.add_wide(self.plot)

    def _wire(self) -> None:
        self.whose.currentIndexChanged.connect(self._on_whose)
        self.of_what.currentIndexChanged.connect(self._on_curve)
        self.spacing.changed.connect(self._on_curve)
        self.copy.clicked.connect(self._on_copy)
        self.save.clicked.connect(self._on_save)

    def show_scores(
        self,
        judgements: Sequence[Judgement],
        entries: Mapping[str, MetricEntry],
        title_of: Callable[[str], str],
    ) -> None:
        """Show scores, first those of the first method."""
        self._judgements, self._entries, self._title_of = judgements, entries, title_of
        names = [one.explanation.request.method for one in judgements]
        whose = {name: title_of(name) for name in names}
        self.whose.offer(whose | ({"": "all methods"} if len(names) > 1 else {}), names[:1])
        self.whose.setCurrentIndex(0)
        self.show_row(self.whose, len(names) > 1)
        with_curves = plotted(judgements)
        self.of_what.offer({n: entries[n].title for n in with_curves}, self.of_what.value())
        for control in (self.of_what, self.spacing, self.plot):
            self.show_row(control, bool(with_curves))
        self._show()

    def show_standing(self, reason: str) -> None:
        """Grey the table out while it is of another map than the one on show."""
        allow(self.table, reason)

    @property
    def method(self) -> str:
        """Whose scores are shown; empty: those of all methods."""
        return str(self.whose.value() or "")

    def _show(self) -> None:
        rows = rows_of(self._judgements, self._entries, self._title_of, self.method)
        self.table.show_rows(rows)
        self.table.fit_rows(ROWS)
        for part in (self.table, self.files):
            self.show_row(part, bool(self._judgements))
        set_note(self.empty, "" if self._judgements else EMPTY)
        self.table.hide_column("method", bool(self.method) or len(self._judgements) < 2)
        self.table.hide_column("ceiling", all(row.score.ceiling is None for row in rows))
        flags = dict.fromkeys(flag for row in rows for flag in row.score.flags)
        set_note(self.marks, "\n".join(FLAGS[flag] for flag in flags))
        set_note(self.absent, silent(self._judgements, self._entries, self.method))
        allow(self.copy, "" if rows else EMPTY)
        allow(self.save, "" if self._judgements else EMPTY)
        self._on_curve()

    def _on_whose(self, *_: object) -> None:
        self._show()
        self.method_chosen.emit(self.method)

    def _on_curve(self, *_: object) -> None:
        metric = self.of_what.value()
        first = self.method or (
            self._judgements[0].explanation.request.method if self._judgements else ""
        )
        shown = drawn(self._judgements, metric, self._title_of, first) if metric else None
        staged = bool(shown and shown.labels)  # stages of a network are evenly spaced
        self.show_row(self.spacing, shown is not None and not staged)
        spacing = "even" if staged else self.spacing.value()
        self.plot.show_curves(shown, cast(Spacing, spacing))

    def _on_copy(self) -> None:
        self.table.copy()

    def _on_save(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Save the scores in", self.folder)
        if folder:
            self.folder = folder
            self.save_requested.emit(folder)
