"""All maps of one volume, judged: they share one scene, so what is asked once serves all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from g3dvit_napari import api
from g3dvit_napari.api.evaluating import evaluation_of, with_network
from g3dvit_napari.api.explainer import explainer_of
from g3dvit_napari.api.scoring import scored
from g3dvit_napari.benchmark.records.record import Key, Record, of_score
from g3dvit_napari.benchmark.records.versions import versions
from g3dvit_napari.benchmark.running.agreement import agreements
from g3dvit_napari.benchmark.running.columns import Column
from g3dvit_napari.benchmark.running.plan import Plan
from g3dvit_napari.benchmark.running.rows import Row
from g3dvit_napari.benchmark.running.trained import KnownSample, Trained
from g3dvit_napari.core.controls import control
from g3dvit_napari.core.errors import Cancelled, G3DViTError
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Explanation, Threshold

if TYPE_CHECKING:
    from torch import nn

Known = frozenset[Key] | set[Key]
OF_THE_TRUTH = ("oracle", "inverted_oracle")  # controls that there are only where it is known
UNCUT = Threshold("none")


@dataclass(frozen=True, eq=False)
class Sitting:
    """One volume before one network.

    place
        Its number among the network's volumes.

    References
    ----------
        Networks of another kind that learned the same, whose maps are compared with.
    """

    trained: Trained
    sample: KnownSample
    place: int
    plan: Plan
    rows: Sequence[Row]
    references: Sequence[Trained] = ()


@dataclass(frozen=True, eq=False)
class Judged:
    """A map before the metrics, and what making it took."""

    evaluation: Evaluation
    seconds: float
    forwards: int | None = None
    explanation: Explanation | None = None


def judge(sitting: Sitting, known: Known, seed: int = 0) -> Iterator[list[Record]]:
    """Yield the records of one row after the other, those left out whose keys are known.

    The class that is explained is the true one: the truth marks the evidence for it. Where the
    network errs, the record says so.
    """
    trained, sample = sitting.trained, sitting.sample
    answer = api.predict(sample.volume, trained.model)
    start = Record(
        trained.cell,
        trained.family,
        trained.seed,
        sample.name,
        method="",
        metric="",
        correct=int(np.argmax(answer.logits)) == sample.label,
        gate=trained.gate.get(sample.name),
        versions=versions(),
    )
    scene = scene_of(sitting, seed)
    for row in sitting.rows:
        blank = replace(start, method=row.name, kind=row.kind, method_settings=row.settings)
        found = _judged_row(sitting, scene, row, _Missing(blank, known))
        if found:
            yield found


def scene_of(sitting: Sitting, seed: int) -> Scene:
    """Return what all maps of one volume share."""
    # Where there is no signal the volume is its own twin, and removal towards it says nothing.
    sample, model = sitting.sample, sitting.trained.model
    own = crc32(f"{seed} {sitting.trained.cell} {sample.name}".encode())  # noise of its own
    scene = Scene(
        Placement(sample.volume, model.spec),
        sample.label,
        truth=sample.signal if sample.signal.any() else None,
        distractor=sample.distractor if sample.distractor.any() else None,
        brain=sample.valid,
        valid=sample.valid,
        twin=Placement(sample.twin_volume, model.spec).to_tensor() if sample.signal.any() else None,
        seed=own,
    )
    return with_network(scene, model)


@dataclass(frozen=True)
class _Missing:
    """A record to be filled in, and which need not be."""

    blank: Record
    known: Known

    def __call__(self, column: str) -> bool:
        return replace(self.blank, metric=column).key not in self.known


def _judged_row(sitting: Sitting, scene: Scene, row: Row, missing: _Missing) -> list[Record]:
    """Return the missing records of one row; a method that fails fails in every column."""
    asked = [
        column
        for column in sitting.plan.columns
        if sitting.plan.asks(row, column, sitting.place) and missing(column.name)
    ]
    compared = [
        one for one in agreements(sitting.references, sitting.sample, row) if missing(one.column)
    ]
    if not (asked or compared) or (scene.truth is None and row.maker in OF_THE_TRUTH):
        return []
    try:
        judged = _map_of(sitting, scene, row)
    except Cancelled:
        raise
    except G3DViTError as error:
        words = f"no map: {error}"
        return [
            replace(missing.blank, metric=c.name, reason=words, direction=c.entry.direction)
            for c in asked
        ]
    blank = replace(missing.blank, seconds=judged.seconds, forwards=judged.forwards)
    found = [_record(blank, column, judged.evaluation) for column in asked]
    if judged.explanation is not None:
        found += [one.record(blank, judged.explanation) for one in compared]
    return found


def _map_of(sitting: Sitting, scene: Scene, row: Row) -> Judged:
    started = time.perf_counter()
    if row.kind == "control":
        made = control(row.maker, scene)
        says_nothing = bool(made.tokens.min() == made.tokens.max())
        return Judged(replace(made, degenerate=says_nothing), time.perf_counter() - started)
    model = sitting.trained.model
    with counting(model.network) as count:
        explanation = api.explain(
            sitting.sample.volume,
            model,
            row.maker,
            sitting.sample.label,
            threshold=UNCUT,
            **row.settings,
        )
    seconds = time.perf_counter() - started
    judged = evaluation_of(explanation, scene, explainer_of(explanation, model))
    return Judged(judged, seconds, count(), explanation)


def _record(blank: Record, column: Column, evaluation: Evaluation) -> Record:
    started = time.perf_counter()
    if "brain" in column.entry.needs and evaluation.scene.valid is not None:
        # How much lies in the brain cannot be seen where nothing else counts.
        evaluation = replace(evaluation, scene=replace(evaluation.scene, valid=None))
    score = scored(column.metric, evaluation, column.settings)
    seconds = time.perf_counter() - started
    return replace(blank, metric=column.name, metric_seconds=seconds, **of_score(score))


@contextmanager
def counting(network: nn.Module) -> Iterator[Callable[[], int | None]]:
    """Count the images that go through the whole network; None where none does as a whole."""
    count = 0

    def tick(_: Any, inputs: tuple[Any, ...]) -> None:
        nonlocal count
        count += len(inputs[0]) if inputs else 1

    hook = network.register_forward_pre_hook(tick)
    try:
        yield lambda: count or None
    finally:
        hook.remove()
