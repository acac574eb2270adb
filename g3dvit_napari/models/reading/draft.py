"""A network spec in the making: what the weights decide is set, the rest becomes questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.core.spec import NetworkSpec
from g3dvit_napari.models.reading.readings import Question, Reading, in_words


@dataclass
class Draft:
    """Fields filled in, remarks, and what is still open."""

    spec: NetworkSpec
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def set(self, **fields: Any) -> None:
        """Fill fields in; a spec that says otherwise contradicts the weights."""
        for name, value in fields.items():
            given = getattr(self.spec, name)
            if given is not None and given != value:
                raise SpecError(
                    f"network.{name} is {in_words(given)} in the spec, but {in_words(value)} in "
                    "the weights; correct the spec, or choose the checkpoint it belongs to"
                )
        self.spec = self.spec.model_copy(update=fields)

    def ask(self, name: str, why: str, readings: Sequence[Reading] = ()) -> None:
        """Leave a question open."""
        self.questions.append(Question(f"network.{name}", why, tuple(readings)))
