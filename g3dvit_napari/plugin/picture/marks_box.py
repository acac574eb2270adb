"""The form's controls of colours, and of what is written beside the picture."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QCheckBox, QGridLayout, QWidget

from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Section, explain
from g3dvit_napari.plugin.picture.colormaps import SIGNED_MAPS, UNSIGNED_MAPS, colours

COLOURS = {"unsigned_colours": UNSIGNED_MAPS, "signed_colours": SIGNED_MAPS}
MARKS = {
    "letters": ("&Letters", "The sides of the head on the edges of the picture: L R A P S I."),
    "colorbar": ("Colour &bar", "Which colour is which relevance; the threshold is a gap in it."),
    "scale_bar": ("Scale ba&r", "How long some millimetres are, in slices and volumes."),
    "caption": ("Captio&n", "Class, probability, method and threshold in the upper corner."),
    "crosshair": (
        "Cross&hair",
        "Lines through the point that the slices cross at; a click on a slice takes it there.\n"
        "In slices, side by side in every cell. Saved pictures have it while it is on.",
    ),
    "peak_mark": (
        "Pea&k ring",
        "A ring around the peak one has jumped to, in the slices it lies in.\n"
        "Saved pictures have it while it is on.",
    ),
}
OFF_AT_FIRST = ("crosshair",)  # the lines would cross what one looks at
_PREVIEW = QSize(44, 12)
_TIPS = {
    "unsigned_colours": "Colours of the map. Equal steps of relevance look equally large in them.",
    "signed_colours": "Colours of a signed map: warm speaks for the class, cold against it,\n"
    "both equally light where they are equally strong.",
}


class MarksBox(Section):
    """Colour maps, one list for each kind of map, and a switch per mark."""

    changed = Signal(str, object)  # what, its value

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Colours and marks", parent)
        self.colours = {name: self._choice(name, maps) for name, maps in COLOURS.items()}
        self.marks: dict[str, QCheckBox] = {}
        grid = QWidget()
        cells = QGridLayout(grid)
        cells.setContentsMargins(0, 0, 0, 0)
        cells.setHorizontalSpacing(2)
        for number, (name, (text, tip)) in enumerate(MARKS.items()):
            mark = self.marks[name] = QCheckBox(text)
            mark.setChecked(name not in OFF_AT_FIRST)
            explain(mark, tip)
            mark.toggled.connect(lambda on, name=name: self.changed.emit(name, on))
            cells.addWidget(mark, number // 2, number % 2)
        self.add_wide(grid)
        self.show_signed(False)

    def values(self) -> dict[str, object]:
        """Return what is chosen."""
        chosen: dict[str, object] = {name: box.value() for name, box in self.colours.items()}
        return chosen | {name: mark.isChecked() for name, mark in self.marks.items()}

    def choose(self, values: dict[str, object]) -> None:
        """Choose without telling anyone; colours that are not on offer change nothing."""
        blocked = self.blockSignals(True)
        for name, value in values.items():
            if name in self.colours:
                self.colours[name].choose(value)
            else:
                self.marks[name].setChecked(bool(value))
        self.blockSignals(blocked)

    def show_signed(self, signed: bool) -> None:
        """Offer the colours for the kind of map on show."""
        self.show_row(self.colours["signed_colours"], signed)
        self.show_row(self.colours["unsigned_colours"], not signed)

    def _choice(self, name: str, maps: tuple[str, ...]) -> Choice:
        choice = Choice()
        choice.offer({one: one for one in maps})
        choice.setIconSize(_PREVIEW)
        for number, one in enumerate(maps):
            choice.setItemIcon(number, preview(one))
        self.add_row("&Colours", choice, _TIPS[name])
        choice.activated.connect(lambda _: self.changed.emit(name, choice.value()))
        return choice


def preview(name: str) -> QIcon:
    """Return a small picture of a colour map."""
    width, height = _PREVIEW.width(), _PREVIEW.height()
    row = np.round(255 * np.asarray(colours(name).map(np.linspace(0, 1, width)))).astype(np.uint8)
    pixels = np.ascontiguousarray(np.broadcast_to(row, (height, width, 4)))
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return QIcon(QPixmap.fromImage(image.copy()))  # a copy, because the pixels go
