"""The answers to the last question, one per class: another class is then served from memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from g3dvit_napari.core.types import Explanation, ExplanationRequest, Threshold, Volume

MOST_CLASSES = 8
MOST_BYTES = 512 * 2**20
_BYTES_PER_VOXEL = 3 * 4 + 1  # map as saved, smooth map, its sorted sizes; field of view
Question = tuple[Any, ...]


def question_of(volume: Volume, request: ExplanationRequest) -> Question:
    """Return all that is asked of a network but the class and the threshold, to be compared by ==.

    The volume counts by its content and its place: a layer can be painted on, moved and renamed.
    """
    data = volume.data
    content = np.ravel(data, order="K").tobytes(), data.dtype, data.shape, data.strides
    place = volume.affine.tobytes(), volume.name, volume.source
    return content, place, replace(request, target=None, threshold=Threshold())


class Answers:
    """Remembers one network's explanations of one question, by class; the next replaces them."""

    def __init__(self) -> None:
        self._question: Question = ()
        self._by_class: dict[int, Explanation] = {}

    def recall(self, question: Question, target: int | str | None) -> Explanation | None:
        """Return what is known about a class (None: the predicted one)."""
        if question != self._question:
            return None
        prediction = next(iter(self._by_class.values())).prediction
        return self._by_class.get(prediction.number_of(target))

    def remember(self, question: Question, explanation: Explanation) -> None:
        """Keep an answer, and of the others those to the same question."""
        if question != self._question:
            self._question, self._by_class = question, {}
        self._by_class[explanation.target] = explanation

    def missing(self, question: Question) -> list[int]:
        """Return the classes worth fetching, the likely ones first; none of another question."""
        if question != self._question:
            return []
        known = next(iter(self._by_class.values()))
        room = MOST_BYTES // (_BYTES_PER_VOXEL * known.relevance.data.size)
        likely = map(int, np.argsort(known.prediction.logits)[::-1])
        done = {*self._by_class, known.request.against}  # no class is contrasted with itself
        others = [number for number in likely if number not in done]
        return others[: max(min(MOST_CLASSES, room) - len(self._by_class), 0)]
