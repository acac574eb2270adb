"""The form's controls of where one stands: planes, slab, volume, cut-away, turntable."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from g3dvit_napari.plugin.controls.amount import AmountSlider
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Section, allow, explain
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.picture import slab, turntable
from g3dvit_napari.plugin.picture.cut_away import Side

NO_MAP = "Compute an explanation first."
NOT_BESIDE = "End the comparison first."
PLANES = {
    "axial": ("Axial", "Slices from below to above (Alt+1). The crosshair stays."),
    "coronal": ("Coronal", "Slices from back to front (Alt+2). The crosshair stays."),
    "sagittal": ("Sagittal", "Slices from left to right (Alt+3). The crosshair stays."),
}
VIEWS = {
    "slices": ("Slices", "Show the head in thin slices (Alt+4)."),
    "slab": (
        "Slab",
        "Show thick slices (Alt+5): the strongest relevance in them, over the anatomy's mean.\n"
        "Of signed maps the mean, since a maximum would hide what speaks against the class.",
    ),
    "volume": ("Volume", "Show the head as a volume: the anatomy glows through (Alt+6)."),
    "cut_away": (
        "Cut-away",
        "Show the head as a volume whose near part is taken off; the map stays whole (Alt+7).",
    ),
}
KEYS = {f"Alt+{number}": name for number, name in enumerate((*PLANES, *VIEWS), start=1)}
SIDES: dict[Side, str] = {
    "top": "the top",
    "left": "the left",
    "right": "the right",
    "front": "the front",
    "back": "the back",
    "bottom": "the bottom",
    "near": "the near side",
}
_TURN, _STOP = "▶  Turntable", "■  Stop turning"


class LooksBox(Section):
    """Planes, views and what belongs to each of them."""

    plane_chosen = Signal(str)
    view_chosen = Signal(str)
    thickness_changed = Signal(float)  # mm
    cut_changed = Signal(str, float)  # side, mm behind the crosshair
    turn_requested = Signal(bool)
    pace_changed = Signal(float)  # seconds per turn

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("View", parent)
        self.planes, self.views = Switch(PLANES), Switch(VIEWS)
        self.planes.setAccessibleName("Plane")
        self.views.setAccessibleName("View")
        self.add_wide(self.planes)
        self.add_wide(self.views)
        self.thickness = _slider(2, 80, slab.THICKNESS_MM)
        self.add_row("T&hick, mm", self.thickness, "Thickness of the slab in millimetres.")
        self.side = Choice()
        self.side.offer(SIDES)
        self.add_row(
            "Cut &off", self.side, "Which part of the anatomy is taken off.\nThe map is never cut."
        )
        self.depth = _slider(-80, 80, 0)
        self.add_row(
            "Dept&h, mm",
            self.depth,
            "Where the cut lies, in millimetres behind the crosshair; at 0 it goes through it.",
        )
        self.turn = QPushButton(_TURN)
        self.turn.setCheckable(True)
        explain(self.turn, "Turn the head slowly about its long axis; the camera comes back.")
        self.add_wide(self.turn)
        self.pace = _slider(3, 40, turntable.SECONDS)
        self.add_row("&Turn in, s", self.pace, "Seconds for one turn of the turntable.")
        self._wire()
        self.offer("")
        self.show_view("slices")

    def _wire(self) -> None:
        self.planes.changed.connect(self.plane_chosen)
        self.views.changed.connect(self.view_chosen)
        self.thickness.valueChanged.connect(self.thickness_changed)
        self.side.currentIndexChanged.connect(self._on_cut_changed)
        self.depth.valueChanged.connect(self._on_cut_changed)
        self.turn.clicked.connect(self.turn_requested)
        self.pace.valueChanged.connect(self.pace_changed)

    def show_view(self, view: str) -> None:
        """Show which view is on the screen, and what can be set about it."""
        self.views.choose(view)
        self.show_row(self.thickness, view == "slab")
        for control in (self.side, self.depth):
            self.show_row(control, view == "cut_away")
        for control in (self.turn, self.pace):
            self.show_row(control, view in ("volume", "cut_away"))

    def show_plane(self, plane: str | None) -> None:
        """Show which plane the slices lie in."""
        self.planes.choose(plane or "")

    def show_turning(self, turns: bool) -> None:
        """Turn the button into its opposite."""
        self.turn.setChecked(turns)
        self.turn.setText(_STOP if turns else _TURN)

    def offer(self, reason: str) -> None:
        """Allow the views that need a map, or say why not."""
        for view in ("slab", "cut_away"):
            allow(self.views.button(view), reason)

    def press(self, name: str) -> None:
        """Do as if the button of a plane or a view had been pressed."""
        switch = self.planes if name in PLANES else self.views
        switch.button(name).click()

    def _on_cut_changed(self, *_: object) -> None:
        self.cut_changed.emit(self.side.value(), float(self.depth.value()))


def _slider(least: float, most: float, value: float) -> AmountSlider:
    slider = AmountSlider()
    slider.setDecimals(0)
    slider.setRange(least, most)
    slider.setSingleStep(1)
    slider.setValue(value)
    return slider
