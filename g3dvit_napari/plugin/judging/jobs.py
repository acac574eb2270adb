"""What the page of truth has done for it outside the GUI thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from g3dvit_napari.core.registry import MetricEntry
from g3dvit_napari.core.score import Judgement
from g3dvit_napari.core.types import Explanation, Volume
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.comparing.jobs import Compared, compare
from g3dvit_napari.plugin.comparing.kinds import ALL_WEIGHTS, ORIGINAL, Plan, Variant
from g3dvit_napari.plugin.jobs import Inquiry, LoadedModel
from g3dvit_napari.plugin.lane import Report
from g3dvit_napari.plugin.picture.layers import Grid
from g3dvit_napari.plugin.places.labels_layers import atlas_from
from g3dvit_napari.summaries.agreement import Agreement

if TYPE_CHECKING:
    from napari.layers import Labels

WAIT = 0.05  # seconds between two looks whether the work is still wanted
SEED = 0
Mask = Callable[[], Volume] | None
Cost = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Trial:
    """A map that is there, further methods for the same class, and what is measured of all.

    Masks are read late: files take a while.
    """

    model: LoadedModel
    explanation: Explanation
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    truth: Mask = None
    brain: Mask = None

    @property
    def cost(self) -> Cost:
        """What decides how often the network is asked."""
        return id(self.model), self.explanation.request.method, self.methods, self.metrics

    @property
    def volume(self) -> Volume:
        """The volume that was explained, as it was then."""
        return self.explanation.scaled.placement.volume


@dataclass(frozen=True, eq=False)
class Judged:
    """What came of a trial, and how long it took."""

    trial: Trial
    judgements: tuple[Judgement, ...]
    seconds: float


@dataclass(frozen=True, eq=False)
class Forgotten:
    """A map beside that of a network that learned nothing."""

    compared: Compared
    agreement: Agreement


def judge(trial: Trial, report: Report) -> Judged:
    """Judge the map on show, and those of the other methods."""
    report(0.0, "reading the masks")
    truth, brain = (None if mask is None else mask() for mask in (trial.truth, trial.brain))
    started = time.perf_counter()
    with turn_of(trial.model.turn, report) as give_way:
        found = jobs.facade().evaluate(
            trial.volume,
            trial.model.handle,
            (trial.explanation, *trial.methods),
            trial.explanation.target,
            truth=truth,
            brain=brain,
            valid=brain,
            metrics=trial.metrics,
            seed=SEED,
            progress=in_titles(report),
            between=give_way,
        )
    return Judged(trial, tuple(found), time.perf_counter() - started)


def in_titles(report: Report) -> Report:
    """Return what reports a step such as "g3dvit: deletion" by the titles of both."""
    known = jobs.facade().METRICS

    def told(fraction: float, step: str) -> None:
        method, _, metric = step.partition(": ")
        named = known[metric].title if metric in known else metric
        report(fraction, f"{jobs.title_of(method)}: {named}" if metric else step)

    return told


@contextmanager
def turn_of(turn: threading.Lock, report: Report) -> Iterator[Callable[[], None]]:
    """Take the network's turn; what is yielded lets others ask it, and waits for the next turn."""

    def take() -> None:
        while not turn.acquire(timeout=WAIT):
            report(0.0, "waiting for the network")  # stops here when it was cancelled

    def give_way() -> None:
        turn.release()
        try:
            time.sleep(0.001)  # so that whoever waits comes first
        finally:
            turn.acquire()

    take()
    try:
        yield give_way
    finally:
        turn.release()


def forget(model: LoadedModel, explanation: Explanation, report: Report) -> Forgotten:
    """Explain the same to a randomised copy of the network, and say how alike both maps are."""
    volume = explanation.scaled.placement.volume
    request = replace(explanation.request, target=explanation.target)
    plan = Plan("randomised", _VARIANTS, SEED)
    compared = compare(Inquiry(model, lambda: volume, request), plan, report)
    (_, first), (_, second) = compared.titled
    report(1.0, "comparing both maps")
    agreement = jobs.facade().summaries.agreement_of(first, second)
    # As maps of two methods: each on its own scale, for a copy's map may be larger by far.
    return Forgotten(replace(compared, kind="methods"), agreement)


_VARIANTS = (
    Variant("the network", ORIGINAL),
    Variant("learned nothing", ALL_WEIGHTS),
)


def passes(trial: Trial, report: Report) -> tuple[Cost, Any]:
    """Return how often a trial asks the network and the methods."""
    report(0.0, "counting passes")
    return trial.cost, jobs.facade().passes_of(
        trial.model.handle, trial.explanation, trial.methods, trial.metrics
    )


def read_mask(path: str) -> Volume:
    """Read a mask from a file."""
    volume: Volume = jobs.facade().load_volume(Path(path))
    return volume


def save(judgements: Sequence[Judgement], folder: str, report: Report) -> list[Path]:
    """Write scores as CSV and JSON."""
    report(0.1, "writing")
    paths: list[Path] = jobs.facade().save_scores(judgements, folder)
    return paths


def painted(layer: Labels, grid: Grid | None) -> Volume:
    """Return a mask as it is painted over a volume on a grid."""
    return atlas_from(layer, grid).labels


def known_metrics(report: Report) -> Mapping[str, MetricEntry]:
    """Return all metrics by name; the first time their files are read."""
    report(0.0, "reading the checks")
    return dict(jobs.facade().METRICS)
