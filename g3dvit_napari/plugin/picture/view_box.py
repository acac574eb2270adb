"""The form's last group: how the map is looked at. Changes nothing but the picture."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from g3dvit_napari.plugin.controls.section import Section, allow, explain, row_of
from g3dvit_napari.plugin.controls.switch import Switch

_NO_MAP = "Compute an explanation first."
_SAME = "Here the saved map is the smooth one as shown; only a cut on patches makes it another."
_NO_EDGE = "The saved map ends where it was cut: nothing lies below."
SWITCHES = {
    "resolution": {
        "smooth": (
            "Smooth",
            "Interpolate the map between the centres of the patches,\n"
            "and hide what lies below the threshold.",
        ),
        "patches": (
            "Patches",
            "Show the places that the method computed a value for: the network's patches,\n"
            "or the coarser or finer cells of some methods.",
        ),
        "saved": (
            "Saved",
            "Cut on patches, then smoothed: exactly the map that is saved.\n"
            "It is drawn anew once the threshold rests.",
        ),
    },
    "edge": {
        "hard": ("Hard", "Show nothing below the threshold."),
        "faded": ("Faded", "Let what lies below the threshold shine through weakly."),
        "contour": (
            "Contour",
            "Draw a line around what is kept, and lighten it; in slices.\n"
            "In the volume the map ends hard.",
        ),
    },
    "convention": {
        "neurological": ("Neurol.", "Neurological: the patient's right is on the right."),
        "radiological": ("Radiol.", "Radiological: the patient's right is on the left."),
    },
}
_ROWS = {"resolution": "&Detail", "convention": "Side&s"}


class ViewBox(Section):
    """Switches of the picture, the way to the peak, and saving."""

    changed = Signal(str, str)  # which switch, its value
    peak_requested = Signal()
    save_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Picture", parent)
        self.switches: dict[str, Switch] = {}
        for name, options in SWITCHES.items():
            switch = self.switches[name] = Switch(options)
            if name in _ROWS:  # the edge stands beside the threshold
                self.add_row(_ROWS[name], switch, " ".join(tip for _, tip in options.values()))
                switch.setToolTip("")
            switch.changed.connect(lambda value, name=name: self.changed.emit(name, value))
        self.peak = QPushButton("Jump to &peak")
        explain(self.peak, "Move the slices to the strongest place of the map.")
        self.save = QPushButton("Sa&ve …")
        explain(
            self.save,
            "Write the map on the patch grid and on the volume's grid as NIfTI,\n"
            "with a JSON file that says how it was made.",
        )
        self.add_wide(row_of(self.peak, self.save))
        self.peak.clicked.connect(self.peak_requested)
        self.save.clicked.connect(self.save_requested)
        self._has_map = False
        self._adapt()
        self.changed.connect(self._adapt)

    def values(self) -> dict[str, str]:
        """Return the value of every switch."""
        return {name: switch.value() for name, switch in self.switches.items()}

    def choose(self, values: dict[str, str]) -> None:
        """Set switches without telling anyone."""
        for name, value in values.items():
            self.switches[name].choose(value)
        self._adapt()

    def offer_map(self, there: bool, saved_differs: bool = True) -> None:
        """Enable what needs a map; the saved one, where it is another picture than the smooth."""
        self._has_map = there
        resolution = self.switches["resolution"]
        allow(resolution.button("saved"), "" if saved_differs else _SAME)
        if resolution.value() == "saved" and not saved_differs:
            resolution.choose("smooth")
            self.changed.emit("resolution", "smooth")
        self._adapt()

    def _adapt(self, *_: object) -> None:
        reason = "" if self._has_map else _NO_MAP
        for control in (self.peak, self.save, self.switches["resolution"]):
            allow(control, reason)
        saved = self.switches["resolution"].value() == "saved"
        allow(self.switches["edge"], reason or (_NO_EDGE if saved else ""))
