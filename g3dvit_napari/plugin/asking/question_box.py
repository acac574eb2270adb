"""The form's third group: which class, by which method, with which parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from g3dvit_napari.core.chance import in_percent
from g3dvit_napari.core.registry import Cost, Entry
from g3dvit_napari.core.types import ExplanationRequest, ObjectiveKind, Output
from g3dvit_napari.plugin.asking.method_list import FIRST, RECOMMENDED, MethodList, tip_of
from g3dvit_napari.plugin.asking.parameters import ParameterControls
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Section, allow, note, set_note

WHY_RECOMMENDED = (
    "★ Recommended: in five of six tasks whose truth is known its strongest patch always touched\n"
    "the target, and the answer fell when that was removed. Its shares add up to the logit.\n"
    "Other networks may differ."
)
_PREDICTED = -1
_SAME = "This method's map is the same for every class."
_NO_MODEL = "Load a checkpoint first."
OBJECTIVES: dict[Output, dict[ObjectiveKind, str]] = {
    "classes": {
        "logit": "Logit",
        "probability": "Probability",
        "log_probability": "Log-probability",
        "contrast": "Logit against another",
    },
    "binary": {
        "logit": "Logit",
        "probability": "Probability",
        "log_probability": "Log-probability",
    },
    "regression": {"logit": "Value"},
}


class QuestionBox(Section):
    """What is asked of the network."""

    changed = Signal(bool)  # whether more may follow at once, as while a number is set
    method_changed = Signal()  # before `changed`

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Question", parent)
        self.targets = Choice()
        self.add_row(
            "&Class",
            self.targets,
            'The class whose evidence is shown. "auto": whichever is predicted, unless you choose\n'
            "another; a click on a bar of the prediction does the same.",
        )
        self.objectives, self.others = Choice(), Choice()
        self.add_row(
            "&Explain",
            self.objectives,
            "The number of the class that the map accounts for. The logit unless you choose\n"
            "another: where the network is sure, a probability hardly moves and its map is faint.",
        )
        self.add_row("A&gainst", self.others, "The class whose logit is subtracted.")
        self.methods = MethodList()
        self.add_row("&Method", self.methods, "How the evidence is traced back to its places.")
        self.summary = note()
        self.add_wide(self.summary)
        self.parameters = ParameterControls(self.methods)
        self.add_wide(self.parameters)
        self._entries: Mapping[str, Entry] = {}
        self._names: tuple[str, ...] = ()
        self._blocks = 1
        self.wanted_method = FIRST
        self.forget_model()
        for choice in (self.targets, self.others):
            choice.currentIndexChanged.connect(self._on_changed)
        self.objectives.currentIndexChanged.connect(self._on_objective_changed)
        self.methods.currentIndexChanged.connect(self._on_method_changed)
        self.parameters.changed.connect(self.changed)

    @property
    def method(self) -> str:
        """The name of the chosen method."""
        return str(self.methods.value() or self.wanted_method)

    @property
    def entry(self) -> Entry | None:
        """The registry entry of the chosen method."""
        return self._entries.get(self.method)

    @property
    def target(self) -> int | None:
        """The number of the chosen class; None for the predicted one."""
        number = self.targets.value()
        return None if number in (None, _PREDICTED) else int(number)

    @property
    def objective(self) -> ObjectiveKind:
        """The number of the class that is explained."""
        return self.objectives.value() or "logit"

    @property
    def against(self) -> int | None:
        """The number of the class to contrast with; None where nothing is contrasted."""
        return self.others.value() if self.objective == "contrast" else None

    @property
    def why_no_class(self) -> str:
        """Why no class can be chosen; empty where one can."""
        entry = self.entry
        return "" if entry is None or entry.class_specific else _SAME

    def title_of(self, method: str) -> str:
        """Return the title of a method that is on offer."""
        return self._entries[method].title if method in self._entries else method

    def cost_of(self, method: str) -> Cost | None:
        """Return what a method on offer costs."""
        return self._entries[method].cost if method in self._entries else None

    def choose_class(self, number: int | None) -> None:
        """Choose a class as if it had been chosen in the list; None: the predicted one."""
        self.targets.choose(_PREDICTED if number is None else number)

    def choose(self, request: ExplanationRequest, predicted: int) -> None:
        """Show a question that was asked before, without telling anyone."""
        blocked = self.blockSignals(True)
        self.methods.choose(request.method)
        if self.entry is not None:
            self.parameters.offer(self.entry, self._blocks, request.parameters)
        self.objectives.choose(request.objective)
        self.others.choose(request.against)
        self.choose_class(None if request.target == predicted else int(request.target or 0))
        self.blockSignals(blocked)

    def forget_model(self) -> None:
        """Offer nothing until a network is there."""
        self.targets.offer({_PREDICTED: "Predicted class"})
        self._offer_objectives("classes")
        self.methods.offer({None: "From the network"})
        set_note(self.summary, "")
        self.parameters.hide()
        for control in (self.targets, self.objectives, self.methods):
            allow(control, _NO_MODEL)

    def offer_model(
        self,
        names: Sequence[str],
        blocks: int,
        entries: Sequence[Entry],
        reasons: Mapping[str, str],
        output: Output = "classes",
    ) -> None:
        """Offer a network's classes and the methods; `reasons` says which cannot serve it."""
        self._names, self._blocks = tuple(names), blocks
        self._entries = {entry.name: entry for entry in entries}
        self.show_probabilities(None, None)
        self.others.offer(dict(enumerate(names)), self.others.value())
        self._offer_objectives(output)
        allow(self.objectives)
        served = self.methods.offer_methods(entries, reasons, self.wanted_method)
        allow(self.methods, "" if served else "No method can explain this network.")
        self._show_method()

    def _offer_objectives(self, output: Output) -> None:
        self.objectives.offer(OBJECTIVES[output], self.objectives.value())
        self.show_row(self.others, self.objective == "contrast")

    def show_probabilities(
        self, probabilities: Sequence[float] | None, predicted: int | None
    ) -> None:
        """Put each class's probability beside its name; None: not known yet."""
        chosen = self.targets.value()
        texts: dict[Any, str] = {_PREDICTED: "Predicted class"}
        if predicted is not None and probabilities is not None:
            texts[_PREDICTED] = f"{self._names[predicted]} · auto"  # short: names are long
        for number, name in enumerate(self._names):
            chance = nan if probabilities is None else probabilities[number]
            texts[number] = name if isnan(chance) else f"{name} · {in_percent(chance)}"
        self.targets.offer(texts, chosen)

    def values(self) -> dict[str, Any]:
        """Return the method's parameters."""
        return self.parameters.values()

    def _show_method(self) -> None:
        entry = self.entry
        if entry is None:
            return
        self.parameters.offer(entry, self._blocks)
        recommended = entry.name == RECOMMENDED
        star, why = ("★ Recommended.", WHY_RECOMMENDED) if recommended else ("", "")
        set_note(self.summary, " ".join(filter(None, [entry.summary, star])))
        self.summary.setToolTip(why)
        self.methods.setToolTip(tip_of(entry, why))
        allow(self.targets, self.why_no_class)

    def _on_method_changed(self, _index: int) -> None:
        self.wanted_method = self.method
        self._show_method()
        self.method_changed.emit()
        self.changed.emit(False)

    def _on_objective_changed(self, _index: int) -> None:
        self.show_row(self.others, self.objective == "contrast")
        self.changed.emit(False)

    def _on_changed(self, _index: int) -> None:
        self.changed.emit(False)
