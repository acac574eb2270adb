"""What is asked: which checks, of whose maps, against which masks, and what that will cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton

from g3dvit_napari.plugin.controls.fold import Fold
from g3dvit_napari.plugin.controls.section import Section, allow, explain, note, set_note
from g3dvit_napari.plugin.controls.ticks import Tick, TickList
from g3dvit_napari.plugin.judging.light import Light
from g3dvit_napari.plugin.judging.mask_choice import MaskChoice
from g3dvit_napari.summaries.verdict import NOT_YET, Verdict

NOTHING = "Compute an explanation first."
_BUTTON = "font-weight: 600;"


class AskBox(Section):
    """The verdict, and below it the question; knows nothing of maps."""

    asked = Signal()
    changed = Signal()  # what is ticked, or a mask
    came_in_sight = Signal()

    def __init__(self) -> None:
        super().__init__("Is it true?")
        self.light, self.standing = Light(), note()
        self.metrics = TickList(
            "Checks", "Tick what is to be measured, by mouse or with the space bar."
        )
        self.methods = TickList(
            "Methods", "Tick whose maps are judged besides the one on show, all of the same class."
        )
        self.metrics_fold = Fold("Checks", "Which checks are run.")
        self.methods_fold = Fold("Methods", "Whose maps are judged.")
        self.truth = MaskChoice("a mask of the truth")
        self.brain = MaskChoice("a mask of the brain")
        self.cost = note()
        self.go = QPushButton("Judge")
        self.go.setStyleSheet(_BUTTON)
        self._reason, self._count = NOTHING, 0
        self._lay_out()
        self._wire()
        self.show_verdict(NOT_YET)
        self.show_reason(NOTHING)

    def _lay_out(self) -> None:
        self.add_wide(self.light)
        self.add_wide(self.standing)
        for fold, ticks in ((self.metrics_fold, self.metrics), (self.methods_fold, self.methods)):
            self.add_wide(fold)
            self.add_wide(ticks)
            ticks.hide()
        self.add_row(
            "&Truth",
            self.truth,
            "A mask of where the signal is known to be: a Labels layer or a file, on any grid;\n"
            "every label counts. Checks of localisation need it.",
        )
        self.add_row(
            "&Brain",
            self.brain,
            "A mask of the brain: a Labels layer or a file, on any grid; every label counts.\n"
            "Relevance is counted inside it, and random orders remove parts inside it alone.",
        )
        self.add_wide(self.cost)
        explain(self.go, "Run the ticked checks in the background; Cancel below stops them.")
        self.add_wide(self.go)

    def _wire(self) -> None:
        self.metrics_fold.toggled.connect(self.metrics.setVisible)
        self.methods_fold.toggled.connect(self.methods.setVisible)
        self.metrics.changed.connect(self._on_changed)
        self.methods.changed.connect(self._on_changed)
        self.truth.changed.connect(self._on_changed)
        self.brain.changed.connect(self._on_changed)
        self.go.clicked.connect(self.asked)

    def showEvent(self, event: Any) -> None:
        """Tell that somebody looks."""
        super().showEvent(event)
        self.came_in_sight.emit()

    def offer(self, metrics: Sequence[Tick], methods: Sequence[Tick]) -> None:
        """Offer checks and further methods."""
        self._count = len([tick for tick in metrics if tick.value is not None])
        self.metrics.offer(metrics)
        self.methods.offer(methods)

    def show_ticked(self, on_show: str) -> None:
        """Say how much is ticked; `on_show` is the title of the method of the map."""
        self.metrics_fold.show_line(f"{len(self.metrics.ticked)} of {self._count} checks")
        others = len(self.methods.ticked)
        first = on_show or "the map on show"
        self.methods_fold.show_line(f"{first} and {others} more" if others else f"of {first}")
        self._adapt()

    def offer_layers(self, layers: Mapping[str, str]) -> None:
        """Offer layers of labels as masks."""
        self.truth.offer_layers(layers)
        self.brain.offer_layers(layers)

    def show_reason(self, reason: str) -> None:
        """Say why nothing can be judged yet; empty: it can."""
        self._reason = reason
        self._adapt()

    def show_cost(self, words: str) -> None:
        """Say what the ticked checks will take."""
        set_note(self.cost, words)

    def show_verdict(self, verdict: Verdict, whose: str = "", standing: str = "") -> None:
        """Show what the scores come to; `whose` where there are several methods, `standing` where
        the map on show is another one.
        """
        self.light.show_verdict(verdict, whose)
        set_note(self.standing, standing)

    def _adapt(self) -> None:
        few = "" if self.metrics.ticked else "Tick at least one check."
        allow(self.go, self._reason or few)

    def _on_changed(self, *_: object) -> None:
        self.changed.emit()
