"""The form's fourth group: how much of the map is shown. Acts at once, without the network."""

from __future__ import annotations

from dataclasses import replace
from math import floor, log10

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QWidget

from g3dvit_napari.core.types import Stage, Threshold
from g3dvit_napari.plugin.controls.amount import AmountSlider
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Section, allow
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.threshold.tuning import Tuning

SETTLE_MS = 250
_KINDS = {
    "keep": "Keep strongest %",
    "mass": "Hold % of relevance",
    "otsu": "Otsu",
    "value": "At a value",
    "absolute": "At a raw value",
    "none": "None",
}
_RANGES = {  # low, high, step, decimals
    "keep": (0.5, 50.0, 0.5, 1),
    "mass": (1.0, 100.0, 1.0, 1),
    "value": (0.0, 1.0, 0.01, 2),
}
_FIXED = {
    "otsu": "Otsu's rule finds the cut itself.",
    "none": "Nothing is cut: there is no amount to set.",
}
_NO_RAW = "Raw values are known once a map has been computed."


class ThresholdBox(Section):
    """Kind, amount, stage and edge of the threshold; below, what it keeps."""

    moved = Signal(object)  # Threshold, while something is dragged
    settled = Signal(object)  # Threshold, once nothing has moved for a moment

    def __init__(self, edges: Switch, parent: QWidget | None = None) -> None:
        super().__init__("Threshold", parent)
        self.kinds = Choice()
        self.kinds.offer(dict(_KINDS), "keep")
        self.add_row(
            "&Show",
            self.kinds,
            "Keep the strongest per cent; keep the fewest places that hold so many per cent of\n"
            "the relevance; cut where Otsu's rule separates two groups inside the head; cut at a\n"
            "value of the scaled map (0 to 1) or of the raw one; or show everything.",
        )
        self.slider = AmountSlider()
        self.add_row(
            "&Amount",
            self.slider,
            "How much stays, in per cent, or the value of the cut.\n"
            "Arrow keys move it in small steps.",
        )
        self.stages = Switch(
            {
                "patches": ("Patches", "Cut the patch map, then enlarge it: as published."),
                "voxels": ("Voxels", "Enlarge the map, then cut its voxels: a smooth outline."),
            }
        )
        self.add_row(
            "Cut &on",
            self.stages,
            "Where the threshold acts: as the method is usually cut, until you choose.",
        )
        self.edges = edges
        self.add_row("Ed&ge", edges, "How the map ends at the threshold.")
        self.tuning = Tuning()
        self.add_wide(self.tuning)
        self._amounts = {"keep": 5.0, "mass": 50.0, "value": 0.5}
        self._ranges = dict(_RANGES)
        self.offer_raw(None)
        self._adapt()
        self.stage_chosen = False  # by a person: then no method chooses another
        self._wire()

    def _wire(self) -> None:
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(SETTLE_MS)
        self._pause.timeout.connect(self._on_settled)
        self.kinds.currentIndexChanged.connect(self._on_kind_changed)
        self.slider.valueChanged.connect(self._on_amount_changed)
        self.stages.changed.connect(self._on_stage_changed)

    def threshold(self) -> Threshold:
        """Return the threshold as it stands."""
        kind = self.kinds.value()
        return Threshold(kind, self._amounts.get(kind, 5.0), self.stages.value())  # type: ignore[arg-type]

    def propose(self, stage: Stage) -> None:
        """Cut where a method is usually cut, unless a person has chosen where."""
        if not self.stage_chosen:
            self.choose(replace(self.threshold(), stage=stage))

    def choose(self, threshold: Threshold) -> None:
        """Show a threshold without telling anyone."""
        blocked = self.kinds.blockSignals(True)
        self.kinds.choose(threshold.kind)
        self.kinds.blockSignals(blocked)
        if threshold.kind not in _FIXED:
            self._amounts[threshold.kind] = threshold.amount
        self.stages.choose(threshold.stage)
        self._adapt()

    def place(self, threshold: Threshold) -> None:
        """Show a threshold and tell of it, as if the slider had been moved there."""
        self.choose(threshold)
        self._on_moved()

    def offer_raw(self, limits: tuple[float, float] | None) -> None:
        """Let the map be cut between these raw values; None or none between them: not at all."""
        usable = limits is not None and limits[1] > limits[0]
        if usable:
            low, high = limits  # type: ignore[misc]
            digits = min(max(2 - floor(log10(high)), 0), 9)
            self._ranges["absolute"] = (low, high, (high - low) / 100, digits)
            self._amounts.setdefault("absolute", round((low + high) / 2, digits))
        self.kinds.forbid("absolute", "" if usable else _NO_RAW)
        self._adapt()

    def _adapt(self) -> None:
        """Give the slider the range of the kind, or disable what cannot apply."""
        kind = str(self.kinds.value())
        blocked = self.slider.blockSignals(True)
        if kind in self._ranges:
            low, high, step, decimals = self._ranges[kind]
            amount = self._amounts[kind]
            self.slider.setDecimals(max(decimals, _decimals_of(amount)))
            self.slider.setRange(min(low, amount), max(high, amount))
            self.slider.setSingleStep(step)
            self.slider.setPageStep(step * 10)
            self.slider.setValue(amount)
        self.slider.blockSignals(blocked)
        missing = "" if kind in self._ranges else _NO_RAW
        allow(self.slider, _FIXED.get(kind, missing))
        allow(self.stages, _FIXED["none"] if kind == "none" else "")

    def _on_kind_changed(self, _index: int) -> None:
        self._adapt()
        self._on_moved()

    def _on_stage_changed(self, *_: object) -> None:
        self.stage_chosen = True
        self._on_moved()

    def _on_amount_changed(self, value: float) -> None:
        kind = str(self.kinds.value())
        decimals = self.slider.decimals()  # what the field shows is what is asked for
        self._amounts[kind] = round(float(value), decimals)
        self._on_moved()

    def _on_moved(self, *_: object) -> None:
        self.moved.emit(self.threshold())
        self._pause.start()

    def _on_settled(self) -> None:
        self.settled.emit(self.threshold())


def _decimals_of(amount: float) -> int:
    """Return how many decimals a field needs to show an amount as it is."""
    return len(f"{amount:.9f}".rstrip("0").partition(".")[2])
