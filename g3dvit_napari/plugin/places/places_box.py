"""The page of places: peaks or regions, a table of them, and a label image to name them by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QStackedWidget, QWidget

from g3dvit_napari.plugin.asking.volume_box import VOLUME_ENDINGS
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Section, allow, explain, note, set_note
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.controls.table import RowTable
from g3dvit_napari.plugin.places.columns import PEAKS, REGIONS

NOTHING = "Compute an explanation first."
NO_LABELS = "Choose a label image to see how the relevance is spread over its regions."
_TIP = "A click on a row, or the arrow keys, take all views there; Ctrl+C copies all."


class PlacesBox(Section):
    """Shows tables and asks; knows nothing of maps."""

    place_chosen = Signal(object)  # the row of a table
    atlas_requested = Signal(str)  # the path of a label image
    atlas_chosen = Signal(str)  # the key of one on offer; empty: none
    save_requested = Signal(str)  # a path

    def __init__(self) -> None:
        super().__init__("Places")
        self.folder = ""
        self.shows = Switch(
            {
                "peaks": ("Peaks", "The strongest places of what is shown, by clusters."),
                "regions": ("Regions", "How the relevance is spread over a label image."),
            }
        )
        self.atlases = Choice()
        self.browse = QPushButton("Choose label image…")
        self.peaks = RowTable("Peaks and clusters", PEAKS, _TIP)
        self.regions = RowTable("Regions", REGIONS, _TIP)
        self.tables = QStackedWidget()
        self.remark = note(NOTHING)
        self.copy, self.save = QPushButton("Copy"), QPushButton("Save table…")
        self._sentences = {"peaks": NOTHING, "regions": NOTHING}
        self._lay_out()
        self._wire()
        self.offer_atlases({})
        self.show_tables((), NOTHING, None, NOTHING)

    def _lay_out(self) -> None:
        self.add_wide(self.shows)
        self.add_row(
            "Labels",
            self.atlases,
            "The image of labels that names regions: a file, or a Labels layer of the viewer.\n"
            "It may be on any grid; each voxel takes the nearest label.",
        )
        explain(
            self.browse,
            "Read labels from a file. Names come from a table beside it (.tsv, .csv, a colour\n"
            "table, an FSL atlas description); without one the regions are numbered.",
        )
        self.add_wide(self.browse)
        self.tables.addWidget(self.peaks)
        self.tables.addWidget(self.regions)
        self.add_wide(self.tables)
        self.add_wide(self.remark)
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.copy)
        layout.addWidget(self.save)
        explain(self.copy, "Copy the table for a spreadsheet (Ctrl+C in the table).")
        explain(self.save, "Write the table with all its digits as tab-separated values.")
        self.add_wide(row)

    def _wire(self) -> None:
        self.shows.changed.connect(self._on_turned)
        for table in (self.peaks, self.regions):
            table.chosen.connect(self.place_chosen)
        self.browse.clicked.connect(self._on_browse)
        self.atlases.activated.connect(self._on_atlas_chosen)
        self.copy.clicked.connect(self._on_copy)
        self.save.clicked.connect(self._on_save)

    @property
    def table(self) -> RowTable:
        """The table on show."""
        return self.peaks if self.shows.value() == "peaks" else self.regions

    def offer_atlases(self, known: Mapping[str, str], chosen: str = "") -> None:
        """Offer label images by key and name."""
        self.atlases.offer({"": "none", **known}, chosen)

    def show_tables(
        self, peaks: Any, peaks_say: str, regions: Any | None, regions_say: str
    ) -> None:
        """Show both tables and what is to be said of them; no regions: no label image."""
        self.peaks.show_rows(peaks)
        self.peaks.hide_column("region", regions is None)
        self.regions.show_rows(regions or ())
        self._sentences = {"peaks": peaks_say, "regions": regions_say}
        self._on_turned()

    def _on_turned(self, *_: object) -> None:
        shown = self.shows.value()
        self.tables.setCurrentWidget(self.table)
        set_note(self.remark, self._sentences[shown])
        reason = "" if self.table.rows else "The table is empty."
        allow(self.copy, reason)
        allow(self.save, reason)

    def _on_atlas_chosen(self, *_: object) -> None:
        self.atlas_chosen.emit(self.atlases.value())

    def _on_copy(self) -> None:
        self.table.copy()

    def _on_browse(self) -> None:
        endings = " ".join(f"*{ending}" for ending in VOLUME_ENDINGS)
        path, _ = QFileDialog.getOpenFileName(
            self, "Choose a label image", self.folder, f"Label images ({endings})"
        )
        if path:
            self.atlas_requested.emit(path)

    def _on_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the table", f"{self.shows.value()}.tsv", "Tab-separated values (*.tsv)"
        )
        if path:
            self.save_requested.emit(path if path.endswith(".tsv") else f"{path}.tsv")
