"""The controls of the page "Time": which frames, of which class, and how they are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QPushButton, QSpinBox, QWidget

from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Section, allow, explain, note, set_note
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.series.plot import Plot

_FRAMES = {
    "this": "Frame now shown",
    "mean": "Mean of all frames",
    "every": "Every k-th frame",
    "all": "All frames",
}
_CLASSES = {
    "same": (
        "The same",
        "Explain one class throughout: the one chosen on the page Explain, or the class\n"
        "predicted for the mean. Only the course of one class can be compared over time.",
    ),
    "each": (
        "Predicted",
        "Explain for every frame the class that is predicted for it.\n"
        "Neighbouring frames may then show maps of different classes.",
    ),
}
_OVERLAYS = {
    "frames": ("Each frame", "The map follows the time slider: every frame shows its own."),
    "mean": ("The mean", "The map of the mean of all frames stays for every frame."),
}
_SCALES = {
    "common": (
        "Common",
        "One scale of values for all explained frames, so that a weaker map looks weaker.",
    ),
    "own": ("Own", "Each frame is scaled to its own strongest place."),
}


STEPS = (2, 9999)  # the least, and the most there is without a series


class FramesBox(Section):
    """Which frames are explained."""

    changed = Signal()
    asked = Signal()  # explain the chosen frames

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Frames of the series", parent)
        self.missing = note()
        self.add_wide(self.missing)
        self.frames, self.step = Choice(), QSpinBox()
        self.frames.offer(_FRAMES, "all")
        self.add_row("F&rames", self.frames, "Which frames are explained; known ones are kept.")
        self.step.setRange(*STEPS)
        self._wanted_step = self.step.value()  # of the user; a short series has no such step
        self.step.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.add_row("E&very", self.step, "The distance between two explained frames.")
        self.classes = Switch(_CLASSES)
        self.add_row("C&lass", self.classes, "Which class the frames are explained for.")
        self.target = note()
        self.add_wide(self.target)
        self.go = QPushButton("Explain frames")
        self.go.setMinimumHeight(28)
        explain(
            self.go,
            "Explain the chosen frames in the background, with the question of the page Explain.\n"
            "What is known already is not computed again; cancelling keeps what is done.",
        )
        self.add_wide(self.go)
        self.frames.currentIndexChanged.connect(self._on_changed)
        self.step.valueChanged.connect(self._on_step)
        self.classes.changed.connect(self._on_changed)
        self.go.clicked.connect(lambda: self.asked.emit())
        self._on_changed()

    @property
    def each(self) -> bool:
        """Whether every frame is explained for the class predicted for it."""
        return self.classes.value() == "each"

    def show_series(self, count: int, reason: str) -> None:
        """Offer a series of so many frames, or say why there is none."""
        set_note(self.missing, reason)
        if count:
            blocked = self.step.blockSignals(True)
            self.step.setMaximum(max(count - 1, STEPS[0]))
            self.step.setValue(self._wanted_step)
            self.step.blockSignals(blocked)
        for control in (self.frames, self.step, self.classes):
            allow(control, reason)

    def show_target(self, words: str) -> None:
        """Say which class is explained throughout."""
        set_note(self.target, words)

    def show_task(self, wanted: int, left: int, reason: str) -> None:
        """Say how many frames a click would explain, or why none."""
        if self.frames.value() == "mean":
            text = "Explain the mean"
        else:
            text = f"Explain {left} frame{'' if left == 1 else 's'}"
        if not reason and wanted and not left:
            reason = "They are explained; change the question, or choose other frames."
            text = "Explained" if wanted == 1 else f"All {wanted} frames explained"
        elif left < wanted:
            text += f" ({wanted - left} known)"
        self.go.setText(text)
        allow(self.go, reason)

    def _on_step(self, step: int) -> None:
        self._wanted_step = step
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        self.show_row(self.step, self.frames.value() == "every")
        self.changed.emit()


class CourseBox(Section):
    """How the explained frames are looked at."""

    overlay_changed = Signal(str)
    scale_changed = Signal(str)
    region_changed = Signal()
    lines_changed = Signal()
    export_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Over time", parent)
        self.plot = Plot()
        self.add_wide(self.plot)
        self.overlays, self.scales = Switch(_OVERLAYS), Switch(_SCALES)
        self.add_row("O&verlay", self.overlays, "What lies over the volume while time goes on.")
        self.add_row("S&cale", self.scales, "What the strongest colour stands for.")
        self.lines, self.regions = Choice(), Choice()
        self.lines.offer({"one": "Explained class", "all": "All classes"}, "one")
        self.add_row("&Probability", self.lines, "Which classes the upper plot shows.")
        self.add_row(
            "Re&gion",
            self.regions,
            "Whose share of the relevance the lower plot shows: the head, what a labels\n"
            "layer marks (draw one), or a region of a label image that was chosen in Places.",
        )
        self.export = QPushButton("Export …")
        explain(
            self.export,
            "Write the time course as a table (TSV): frame, seconds, probability of every class,\n"
            "the share of the relevance in each region looked at, and the scale of each map.",
        )
        self.add_wide(self.export)
        self.overlays.changed.connect(self.overlay_changed)
        self.scales.changed.connect(self.scale_changed)
        self.lines.currentIndexChanged.connect(self._on_lines)
        self.regions.currentIndexChanged.connect(self._on_region)
        self.export.clicked.connect(lambda: self.export_asked.emit())

    def offer_regions(self, regions: Mapping[Any, str], chosen: Any) -> None:
        """List the regions by key and name."""
        self.regions.offer(regions, chosen)

    def show_reason(self, reason: str, no_mean: str) -> None:
        """Say why there is nothing to look at yet, or no map of the mean; empty: there is."""
        for control in (self.overlays, self.scales, self.lines, self.regions, self.export):
            allow(control, reason)
        allow(self.overlays.button("mean"), reason or no_mean)

    def _on_lines(self, _index: int) -> None:
        self.lines_changed.emit()

    def _on_region(self, _index: int) -> None:
        self.region_changed.emit()
