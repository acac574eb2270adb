"""How far a map agrees with those of a network of another kind; agreement, not truth.

Two networks may rightly use different evidence, so no map is right because a 3D ResNet's is alike.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import nan
from typing import Any, Literal

import numpy as np

from g3dvit_napari import api
from g3dvit_napari.benchmark.records.record import Record
from g3dvit_napari.benchmark.running.rows import Row
from g3dvit_napari.benchmark.running.trained import KnownSample, Trained
from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.summaries.agreement import Agreement, agreement_of

METHODS = (
    "layer_cam",
    "grad_cam_element_wise",
)  # whose maps of the other network are compared with
Figure = Literal["spearman", "dice"]
PREFIX = "agreement"


@dataclass(frozen=True, eq=False)
class Comparison:
    """One figure of agreement with one method of one other network."""

    reference: Trained
    sample: KnownSample
    method: str
    figure: Figure

    @property
    def column(self) -> str:
        """Its name in the records."""
        return f"{PREFIX} {self.reference.family} {self.method} {self.figure}"

    def record(self, blank: Record, explanation: Explanation) -> Record:
        """Return how far an explanation agrees; chance is that of random places, or zero."""
        started = time.perf_counter()
        sample: Any = self.sample  # hashed by identity
        other = _explained(self.reference, sample, self.method)
        right = int(np.argmax(other.prediction.logits)) == self.sample.label
        found = agreement_of(explanation, other)
        reason = found.why_not or ("" if right else "the other network names another class")
        value = (found.spearman if self.figure == "spearman" else found.dice) if right else None
        return replace(
            blank,
            metric=self.column,
            value=nan if value is None else value,
            chance=_chance(found, self.figure),
            direction="none",
            reason=reason,
            metric_seconds=time.perf_counter() - started,
            settings={"reference seed": self.reference.seed, "places": found.unit},
        )


def agreements(references: Sequence[Trained], sample: KnownSample, row: Row) -> list[Comparison]:
    """Return all comparisons of a row; the first network of each other kind is asked."""
    if row.kind == "control":
        return []
    first: dict[str, Trained] = {}
    for one in sorted(references, key=lambda one: one.seed):
        first.setdefault(one.family, one)
    return [
        Comparison(one, sample, method, figure)
        for one in first.values()
        for method in METHODS
        if api.why_not(method, one.model) is None
        for figure in ("spearman", "dice")
    ]


def _chance(found: Agreement, figure: Figure) -> float:
    if figure == "spearman":
        return 0.0
    return nan if found.chance is None else found.chance


@lru_cache(maxsize=2 * len(METHODS))
def _explained(reference: Trained, sample: Any, method: str) -> Explanation:
    """Return the other network's map of the true class; all rows of a volume share it."""
    label = sample.label
    return api.explain(sample.volume, reference.model, method, label, threshold=Threshold("none"))
