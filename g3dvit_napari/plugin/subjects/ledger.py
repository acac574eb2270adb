"""What is known of every subject of a list: predictions, figures, and maps as far as they fit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from g3dvit_napari.core.compact import CompactExplanation
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.types import ExplanationRequest, Prediction, class_number
from g3dvit_napari.io.ratings import Row
from g3dvit_napari.io.subjects import Subject, SubjectList
from g3dvit_napari.summaries.quality import Quality

MOST_BYTES = 256 * 2**20  # of maps; patch maps take 8 kB each, maps of voxels some 6 MB

_NO_FIGURES = Quality()


@dataclass(frozen=True)
class Outcome:
    """What a network said of a subject; or, in `error`, why it said nothing."""

    request: ExplanationRequest
    prediction: Prediction | None = None
    status: str = ""
    message: str = ""
    warnings: tuple[str, ...] = ()
    quality: Quality = _NO_FIGURES
    model: str = ""  # SHA-256 of the checkpoint
    error: str = ""

    def answers(self, request: ExplanationRequest) -> bool:
        """Whether this is the answer to a question, or the failure to answer it."""
        mine = self.request
        if self.prediction is None:
            return True  # a file that cannot be read answers no question better
        target = self.prediction.number_of(mine.target)
        same = mine.method, mine.objective, mine.against
        return (
            same == (request.method, request.objective, request.against)
            and target == self.prediction.number_of(request.target)
            and _within(request.parameters, mine.parameters)
        )


def _within(asked: Mapping[str, object], found: Mapping[str, object]) -> bool:
    return all(name in found and found[name] == value for name, value in asked.items())


class Ledger:
    """The subjects of a list, in its order, and what is known of each by its key."""

    def __init__(self, listed: SubjectList | None = None) -> None:
        self.listed = listed
        self.subjects: tuple[Subject, ...] = listed.subjects if listed else ()
        self.by_key = {subject.key: subject for subject in self.subjects}
        self.places = {subject.key: place for place, subject in enumerate(self.subjects)}
        self.outcomes: dict[str, Outcome] = {}
        self.ratings: dict[str, Row] = {}
        self.question = ExplanationRequest()
        self.checkpoint = ""  # SHA-256 of the one that is loaded
        self.class_names: tuple[str, ...] = ()  # of its network
        self._maps: OrderedDict[str, CompactExplanation] = OrderedDict()

    def record(self, key: str, outcome: Outcome, compact: CompactExplanation | None) -> None:
        """Write down what a network said; of maps, the oldest go where they would not all fit."""
        self.outcomes[key] = outcome
        self._maps.pop(key, None)
        if compact is not None:
            self._maps[key] = compact
        while len(self._maps) > 1 and sum(m.nbytes for m in self._maps.values()) > MOST_BYTES:
            self._maps.popitem(last=False)

    def map_of(self, key: str) -> CompactExplanation | None:
        """Return the map that answers the present question, if it is still kept."""
        return self._maps.get(key) if self.is_answered(key) else None

    def is_answered(self, key: str) -> bool:
        """Whether what is known of a subject answers the present question."""
        outcome = self.outcomes.get(key)
        return outcome is not None and outcome.answers(self.question)

    def saved_prediction(self, key: str) -> tuple[str, float] | None:
        """Return what this very checkpoint predicted when a subject was rated, read from the file.

        The class and its probability; of a regression, no name and the value. None: nothing was
        saved, by another checkpoint, or more is known by now.
        """
        if not self.checkpoint or key in self.outcomes:
            return None
        row = self.ratings.get(key, {})
        if row.get("model") != self.checkpoint:
            return None
        name = row.get("predicted", "") if row.get("p") else ""
        try:
            value = float(row.get("p") or row.get("predicted", ""))
        except ValueError:  # somebody else wrote into the file
            return None
        if not isfinite(value) or (name and name not in self.class_names):
            return None
        return name, value

    def missing(self, keys: Iterable[str]) -> list[Subject]:
        """Return those subjects whose answer to the present question is not known."""
        return [self.by_key[key] for key in keys if not self.is_answered(key)]

    def forget_answers(self) -> None:
        """Forget what a network said; the ratings stay."""
        self.outcomes = {}
        self.forget_maps()

    def forget_maps(self) -> None:
        """Let go of the maps."""
        self._maps.clear()

    def summary(self) -> str:
        """Return in words how far the list is."""
        if self.listed is None:
            return ""
        keys = [subject.key for subject in self.subjects]
        rated = sum(bool(self.ratings.get(key, {}).get("rating")) for key in keys)
        right = [self.is_right(key) for key in keys]
        known = len(right) - right.count(None)
        parts = [f"{self.listed.place.name}: {len(keys)} volumes", f"{rated} rated"]
        parts += [f"{right.count(True)} of {known} right"] if known else []
        return "\n".join(filter(None, (" · ".join(parts), self.listed.remark)))

    def is_right(self, key: str) -> bool | None:
        """Whether the prediction is the true class; None where either is not known."""
        label = self.by_key[key].label
        if not label:
            return None
        names, predicted = self._predicted(key)
        if len(names) < 2:
            return None
        names = tuple(name.casefold() for name in names)
        try:
            return class_number(label.casefold(), names) == predicted
        except MethodError:  # a label that is none of this network's classes
            return None

    def _predicted(self, key: str) -> tuple[tuple[str, ...], int]:
        """Return the names of the classes and the number of the predicted one; no names: none."""
        outcome = self.outcomes.get(key)
        if outcome is not None and outcome.prediction is not None:
            return outcome.prediction.class_names, outcome.prediction.predicted
        saved = self.saved_prediction(key)
        if saved is not None and saved[0]:
            return self.class_names, self.class_names.index(saved[0])
        return (), 0
