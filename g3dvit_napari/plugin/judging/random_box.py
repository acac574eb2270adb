"""The oldest check, to be seen: the same method on a network that has learned nothing."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton

from g3dvit_napari.plugin.controls.section import Section, allow, explain, note, set_note

_WHAT = (
    "The same question to a copy of the network whose weights are drawn anew. A map that stays "
    "the same does not show what was learned (Adebayo et al., 2018)."
)


class RandomBox(Section):
    """A button, the way back, and the likeness of both maps in words."""

    asked = Signal()
    end_requested = Signal()

    def __init__(self) -> None:
        super().__init__("A randomised network")
        self.add_wide(note(_WHAT))
        self.go, self.back = QPushButton("Randomise and look again"), QPushButton("Back to one map")
        explain(
            self.go,
            "Explain the same class by the same method to a randomised copy of the network,\n"
            "and show both maps side by side on one scale.",
        )
        explain(self.back, "Remove the second map and show again what was there before.")
        self.add_wide(self.go)
        self.add_wide(self.back)
        self.said = note()
        self.add_wide(self.said)
        self.go.clicked.connect(self.asked)
        self.back.clicked.connect(self.end_requested)
        self.show_reason("Compute an explanation first.")
        self.show_running(False)

    def show_reason(self, reason: str) -> None:
        """Say why it cannot be done yet; empty: it can."""
        allow(self.go, reason)

    def show_running(self, running: bool) -> None:
        """Offer the way back while both maps are shown."""
        allow(self.back, "" if running else "No second map is shown.")

    def show_words(self, words: str) -> None:
        """Say how alike both maps are."""
        set_note(self.said, words)
