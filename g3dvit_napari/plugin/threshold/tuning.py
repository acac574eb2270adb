"""Under the slider: histogram, the cut in words, its figures, and the same cut for all maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import LABEL_WIDTH, Rows, allow, explain, note, set_note
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.threshold.axes import LinearAxis, PercentileAxis
from g3dvit_napari.plugin.threshold.histogram import Histogram
from g3dvit_napari.plugin.threshold.wording import figures_of, words_of_cut

if TYPE_CHECKING:
    from g3dvit_napari.core.types import Threshold
    from g3dvit_napari.summaries.extent import Extent

HEAD = ""  # the mask that needs no layer: the head as found in the volume
NO_MAP = "Compute an explanation first."
NO_OTHER = "There is one map only; this is for volumes that were explained before."
FIGURES = {
    "Voxels kept": "Voxels at the cut or above it, and their share of the field of view.",
    "Volume": "The volume of these voxels.",
    "Clusters": "How many separate clusters they form: neighbours share a face (6 of 26), as in\n"
    "nilearn's tables. Evidence for and against a class are never one cluster.",
    "Inside": "How much of the relevance that is kept lies inside the mask; by chance: the mask's\n"
    "share of the field of view, which a map that knows nothing would have inside.",
}


class Figures(QWidget):
    """A small table whose rows stay where they are while their numbers change."""

    def __init__(self, rows: Mapping[str, str]) -> None:
        super().__init__()
        table = QGridLayout(self)
        table.setContentsMargins(0, 0, 0, 0)
        table.setHorizontalSpacing(4)
        table.setVerticalSpacing(2)
        table.setColumnMinimumWidth(0, LABEL_WIDTH)
        table.setColumnStretch(1, 1)
        self._values = {}
        for line, (name, tip) in enumerate(rows.items()):
            caption, value = note(name), note("—")
            value.setStyleSheet("padding: 0px;")
            for label in (caption, value):
                label.setToolTip(tip)
            caption.setAlignment(Qt.AlignmentFlag.AlignTop)
            table.addWidget(caption, line, 0)
            table.addWidget(value, line, 1)
            self._values[name] = value

    def show_values(self, texts: Mapping[str, str]) -> None:
        """Change the numbers; a row that is not named has none."""
        for name, value in self._values.items():
            value.setText(texts.get(name, "—"))

    def text(self, name: str) -> str:
        """Return what stands beside a name."""
        return str(self._values[name].text())


class Tuning(Rows):
    """Shows what a cut keeps of the map on show; knows no viewer."""

    cut_wanted = Signal(float)
    mask_changed = Signal()
    apply_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._extent: Extent | None = None
        self.histogram = Histogram()
        self.add_wide(self.histogram)
        self.axes = Switch(
            {
                "linear": ("Linear", "Along the relevance; heights are logarithms of counts."),
                "percentile": (
                    "Percentile",
                    "Along the share of voxels below; heights are the relevance.\n"
                    "Each third of the axis leaves a tenth: 90, 99 and 99.9 %.",
                ),
            }
        )
        self.add_row("A&xis", self.axes, "What the histogram runs along.")
        self.words = note()
        self.add_wide(self.words)
        self.figures = Figures(FIGURES)
        self.add_wide(self.figures)
        self.masks = Choice()
        self.offer_masks({})
        tip = "What the share inside is counted for: the head, or a mask or labels layer."
        self.add_row("Mas&k", self.masks, tip)
        self.apply = QPushButton("Appl&y to all maps")
        explain(self.apply, "Cut the maps of all volumes of this window so, with the same edge.")
        self.add_wide(self.apply)
        self.applied = note()
        self.add_wide(self.applied)
        self.axes.changed.connect(self._on_axis_changed)
        self.masks.currentIndexChanged.connect(self._on_mask_chosen)
        self.apply.clicked.connect(self._on_apply_clicked)
        self.histogram.cut_wanted.connect(self.cut_wanted)
        self.show_extent(None)
        self.offer_apply(NO_MAP)

    def offer_masks(self, names: Mapping[str, str]) -> None:
        """Offer layers (id: name) beside the head; the chosen one stays where it can."""
        chosen = self.masks.value() or HEAD
        self.masks.offer({HEAD: "Head, as found", **names}, chosen)
        if self.masks.value() != chosen:
            self.mask_changed.emit()

    def offer_apply(self, reason: str) -> None:
        """Enable the button, or say why it is not."""
        allow(self.apply, reason)

    def show_extent(self, extent: Extent | None) -> None:
        """Show another map; None: there is none."""
        self._extent = extent
        for control in (self.axes, self.masks):
            allow(control, "" if extent is not None else NO_MAP)
        self._on_axis_changed()
        if extent is None:
            self.histogram.show_cut(None)
            self.figures.show_values({})
            set_note(self.words, "")

    def show_colors(self, colors: NDArray[Any]) -> None:
        """Paint what is kept in the colours (n, 3) of the map."""
        signed = self._extent is not None and self._extent.signed
        self.histogram.show_colors(colors, signed=signed)

    def show_cut(self, cut: float | None, threshold: Threshold, clusters: int | None) -> None:
        """Show a cut, what it keeps, and how many clusters that forms (None: not known yet)."""
        if self._extent is None:
            return
        words = words_of_cut(self._extent, cut, threshold)
        self.histogram.show_cut(cut)
        self.histogram.setAccessibleDescription(words)
        set_note(self.words, words)
        self.figures.show_values(figures_of(self._extent.kept(cut), clusters))

    def tell_applied(self, words: str) -> None:
        """Say what became of the other maps."""
        set_note(self.applied, words)

    def _on_axis_changed(self, *_: object) -> None:
        if self._extent is None:
            self.histogram.show_axis(None)
            return
        make = PercentileAxis if self.axes.value() == "percentile" else LinearAxis
        self.histogram.show_axis(make(self._extent))

    def _on_mask_chosen(self, _index: int) -> None:
        self.mask_changed.emit()

    def _on_apply_clicked(self, _checked: bool = False) -> None:
        self.apply_requested.emit()
