"""The form's group for what is compared: on which scale, and the difference of two of the maps."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QScrollArea, QWidget

from g3dvit_napari.plugin.comparing.kinds import ScaleName
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import (
    Section,
    allow,
    explain,
    note,
    set_note,
    side_by_side,
    words,
)
from g3dvit_napari.plugin.controls.switch import Switch

_NOTHING = "Compare two maps first, or compute a second one for the same volume."
_NO_DIFFERENCE = "No difference is shown."

_SCALES = {
    "common": (
        "Common",
        "All maps in units of the largest raw value among them: strengths can be compared.\n"
        "Methods have different units, so this says little between methods.",
    ),
    "own": (
        "Own",
        "Every map in units of its own largest value: patterns can be compared,\nstrengths cannot.",
    ),
}
_FIGURES = (
    "Spearman's ρ: whether both maps order the places alike; 1 is the same order, 0 none.\n"
    "Dice: how much of the strongest 5 % of the places, by size, both have in common;\n"
    "beside it what two random choices of as many places would have in common."
)


class DifferenceBox(Section):
    """Scale of the cells, two maps to subtract, their agreement in figures."""

    scale_changed = Signal(str)  # "common" or "own"
    difference_requested = Signal(int, int)  # places in the list of maps
    save_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Scale and difference", parent)
        self.scale = Switch(_SCALES)
        self.add_row("S&cale", self.scale, "What 1 stands for on the colour bars.")
        self.scale_note = note()
        self.add_wide(self.scale_note)
        self.first, self.second = Choice(), Choice()
        self.add_row("Map &A", self.first, "The map to subtract from.")
        self.add_row("Map &B", self.second, "The map that is subtracted.")
        self.go, self.save = _buttons()
        self.add_wide(side_by_side(self.go, self.save))
        self.figures = words()
        self.figures.setToolTip(_FIGURES)
        self.add_wide(self.figures)
        self.show_figures("")
        self.offer_maps((), False)
        self.scale.changed.connect(self.scale_changed)
        self.go.clicked.connect(self._on_go)
        self.save.clicked.connect(self.save_requested)
        for choice in (self.first, self.second):
            choice.currentIndexChanged.connect(self._on_chosen)

    def offer_maps(self, titles: Sequence[str], compared: bool) -> None:
        """Offer maps to subtract; `compared`: they are shown side by side, so there is a scale."""
        for place, choice in enumerate((self.first, self.second)):
            choice.offer(dict(enumerate(titles)), min(place, len(titles) - 1))
            allow(choice, "" if len(titles) > 1 else _NOTHING)
        for name in ("common", "own"):
            allow(self.scale.button(name), "" if compared else "No comparison is shown.")
        self._on_chosen()

    def show_scale(self, name: ScaleName, text: str) -> None:
        """Say which scale is in use, and what it means."""
        self.scale.choose(name)
        set_note(self.scale_note, text)

    def show_figures(self, text: str) -> None:
        """Show the agreement; an empty one: no difference is shown."""
        self.figures.setText(text)
        self.figures.setVisible(bool(text))
        allow(self.save, "" if text else _NO_DIFFERENCE)
        if text:
            self._scroll_to_figures()

    def _scroll_to_figures(self) -> None:
        """Bring the figures into sight where the page is too low for them."""
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is not None:
            area.widget().adjustSize()
            area.ensureWidgetVisible(self.figures)

    def _on_chosen(self, _index: int = 0) -> None:
        same = self.first.value() == self.second.value()
        reason = _NOTHING if self.first.count() < 2 else ""
        allow(self.go, reason or ("Choose two different maps." if same else ""))

    def _on_go(self) -> None:
        self.difference_requested.emit(self.first.value(), self.second.value())


def _buttons() -> tuple[QPushButton, QPushButton]:
    go, save = QPushButton("Difference A − B"), QPushButton("Save …")
    explain(
        go,
        "Show A minus B as both are shown, in a cell of its own: warm where A is stronger,\n"
        "cold where B is; and say how far the two agree.",
    )
    explain(save, "Write the difference as NIfTI, on the grid of the volume.")
    return go, save
