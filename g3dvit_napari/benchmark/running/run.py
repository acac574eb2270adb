"""A run: all networks, all volumes, row by row into the file of records; what is there stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from math import nan
from multiprocessing import get_context
from signal import SIG_IGN, SIGINT, signal

import numpy as np

from g3dvit_napari.benchmark.records.record import Facts, Key, Record, line_of
from g3dvit_napari.benchmark.records.store import Store
from g3dvit_napari.benchmark.records.versions import versions
from g3dvit_napari.benchmark.running.judging import Sitting, judge
from g3dvit_napari.benchmark.running.plan import Plan
from g3dvit_napari.benchmark.running.rows import served
from g3dvit_napari.benchmark.running.trained import Trained
from g3dvit_napari.core.progress import Progress

_prepared: list[
    tuple[Sitting, frozenset[Key], int]
] = []  # in a process that helps: the volumes that it may be asked for


def run(
    networks: Sequence[Trained],
    plan: Plan,
    store: Store,
    *,
    processes: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> int:
    """Judge every row of a plan by every column, and write what is new.

    Records of the same benchmark version that are there are not computed again. Whatever ends the
    run, what was finished has been written.

    Parameters
    ----------
    networks
        All networks; those of another family than "vit" are judged too, and compared with.
    processes
        How many volumes are judged at once, with one torch thread each.
    seed
        Of everything that metrics draw at random.
    progress
        Called with a fraction and a word; may raise `Cancelled`.

    Returns
    -------
    int
        How many records were written.
    """
    sittings = list(_sittings(networks, plan))
    found = store.read()
    there = {line_of(fact) for fact in found.facts}
    store.append(
        fact for fact in (_facts(one, plan) for one in networks) if line_of(fact) not in there
    )
    known = frozenset(record.key for record in found.records)
    book = _Book(store, len(sittings), progress)
    with _one_thread():
        if processes > 1:
            _judge_side_by_side(sittings, known, seed, processes, book)
        else:
            for sitting in sittings:
                for records in judge(sitting, known, seed):
                    book.write(records)
                book.done(_name(sitting))
    return book.written


class _Book:
    """Writes what comes, and says how far it is."""

    def __init__(self, store: Store, volumes: int, progress: Progress | None) -> None:
        self._store, self._volumes, self._progress = store, volumes, progress
        self.written, self._done = 0, 0

    def write(self, records: Sequence[Record]) -> None:
        """Add records to the file; whoever listens may stop the run after it."""
        self.keep(records)
        self._say(f"{records[0].sample}: {records[0].method}" if records else "")

    def keep(self, records: Sequence[Record]) -> None:
        """Add records to the file."""
        self._store.append(records)
        self.written += len(records)

    def done(self, name: str) -> None:
        """Count one volume."""
        self._done += 1
        self._say(name)

    def _say(self, words: str) -> None:
        if self._progress is not None:
            self._progress(self._done / max(self._volumes, 1), words)


def _sittings(networks: Sequence[Trained], plan: Plan) -> Iterator[Sitting]:
    """Yield all volumes of all networks, in turns, so that an early end leaves some of each."""
    rows = {id(one): served(plan.rows, one.model)[0] for one in networks}
    most = max((len(one.samples) for one in networks), default=0)
    for place in range(most if plan.volumes is None else min(most, plan.volumes)):
        for one in networks:
            if place < len(one.samples):
                others = [
                    other
                    for other in networks
                    if other.cell == one.cell and other.family != one.family == "vit"
                ]
                yield Sitting(one, one.samples[place], place, plan, rows[id(one)], others)


def _facts(one: Trained, plan: Plan) -> Facts:
    judged = one.samples[: plan.volumes]
    checked = [one.gate[sample.name] for sample in judged if sample.name in one.gate]
    share = float(np.mean(checked)) if checked else nan
    reasons = served(plan.rows, one.model)[1]
    return Facts(
        one.cell, one.family, one.seed, one.accuracy, share, len(judged), reasons, versions()
    )


def _judge_side_by_side(
    sittings: Sequence[Sitting], known: frozenset[Key], seed: int, processes: int, book: _Book
) -> None:
    """Judge several volumes at once; when stopped, wait for those under way and write them."""
    for sitting in sittings:
        sitting.trained.model.forget()  # a remembered pass cannot travel
    arguments = (list(sittings), known, seed)
    with ProcessPoolExecutor(processes, get_context("spawn"), _prepare, arguments) as pool:
        asked = {pool.submit(_judge_prepared, number): number for number in range(len(sittings))}
        left = set(asked)
        try:
            for future in as_completed(asked):
                left.remove(future)
                book.write(future.result())
                book.done(_name(sittings[asked[future]]))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            for future in left:
                if not future.cancelled() and future.exception() is None:
                    book.keep(future.result())
            raise


def _prepare(sittings: list[Sitting], known: frozenset[Key], seed: int) -> None:
    """Make a process ready to help; an interrupt is for the process that asked."""
    import torch

    signal(SIGINT, SIG_IGN)
    torch.set_num_threads(1)
    _prepared[:] = [(sitting, known, seed) for sitting in sittings]


def _judge_prepared(number: int) -> list[Record]:
    return [record for part in judge(*_prepared[number]) for record in part]


def _name(sitting: Sitting) -> str:
    return f"{sitting.trained.cell} seed {sitting.trained.seed}, {sitting.sample.name}"


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small networks lose more by sharing their work than they gain."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
