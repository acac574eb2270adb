"""The form's last group: how the map is looked at. Changes nothing but the picture."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from g3dvit_napari.plugin.section import Section, allow, explain
from g3dvit_napari.plugin.switch import Switch

_NO_MAP = "Compute an explanation first."
SWITCHES = {
    "view": {
        "slices": ("Slices", "Show the head in slices."),
        "volume": ("Volume", "Show the head as a volume."),
    },
    "resolution": {
        "smooth": ("Smooth", "Interpolate the map between the centres of the patches."),
        "patches": ("Patches", "Show the patches: what the network really resolved."),
    },
    "edge": {
        "hard": ("Hard", "Show nothing below the threshold."),
        "faded": ("Faded", "Let what lies below the threshold shine through weakly."),
    },
    "convention": {
        "neurological": ("Neurol.", "Neurological: the patient's right is on the right."),
        "radiological": ("Radiol.", "Radiological: the patient's right is on the left."),
    },
}
_ROWS = {"view": "Vie&w", "resolution": "&Detail", "edge": "&Edge", "convention": "Side&s"}


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
        self.add_wide(_row(self.peak, self.save))
        self.peak.clicked.connect(self.peak_requested)
        self.save.clicked.connect(self.save_requested)
        self.offer_map(False)

    def values(self) -> dict[str, str]:
        """Return the value of every switch."""
        return {name: switch.value() for name, switch in self.switches.items()}

    def choose(self, values: dict[str, str]) -> None:
        """Set switches without telling anyone."""
        for name, value in values.items():
            self.switches[name].choose(value)

    def offer_map(self, there: bool) -> None:
        """Enable what needs a map."""
        reason = "" if there else _NO_MAP
        for control in (self.peak, self.save, self.switches["resolution"], self.switches["edge"]):
            allow(control, reason)


def _row(*buttons: QPushButton) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 2, 0, 0)
    layout.setSpacing(6)
    for button in buttons:
        layout.addWidget(button, 1)
    return row
