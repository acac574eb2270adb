"""Records laid out: for every task and metric, volumes by methods, network by network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.api import METRICS
from g3dvit_napari.benchmark.records.record import Facts, Record
from g3dvit_napari.benchmark.records.store import Found
from g3dvit_napari.benchmark.records.versions import BENCHMARK
from g3dvit_napari.benchmark.running.agreement import PREFIX
from g3dvit_napari.benchmark.running.rows import known_rows
from g3dvit_napari.core.score import Direction, Flag

Floats = NDArray[np.float64]
# Won by a map of next to nothing, or of everything; or necessary, and no sign of quality.
UNRANKED = frozenset(
    ("pixel_accuracy", "precision", "recall", "model_randomisation", "efficient_randomisation",
     "class_sensitivity", "max_sensitivity", "mean_sensitivity", "completeness", "input_shift")
)  # fmt: skip
UNINFORMATIVE: Flag = "uninformative"
Where = tuple[str, str, str]  # cell, family, column


@dataclass(frozen=True, eq=False)
class Group:
    """What one metric says in one task, of one kind of network.

    rows
        Methods and controls.
    seeds, samples
        Of the networks, and per network of its volumes.
    values
        Per network (volumes, rows); NaN where there is none. A map without a score, where other
        maps of the volume have one, has the chance value: it must not gain by being left out.
    chance, ceiling
        The same; NaN where there is none.
    degenerate, undefined
        Per row: how many maps say nothing, and how many have no score of their own.
    """

    cell: str
    column: str
    direction: Direction
    rows: tuple[str, ...]
    seeds: tuple[int, ...]
    samples: tuple[tuple[str, ...], ...]
    values: tuple[Floats, ...]
    chance: tuple[Floats, ...]
    ceiling: tuple[Floats, ...]
    degenerate: NDArray[np.int64]
    undefined: NDArray[np.int64]

    @property
    def higher(self) -> bool:
        """Whether a higher value is better."""
        return self.direction != "lower"

    def count(self, row: int) -> int:
        """Return how many volumes a row has a value on."""
        return int(sum(np.isfinite(values[:, row]).sum() for values in self.values))

    def of_rows(self, places: Sequence[int]) -> tuple[Floats, ...]:
        """Return the values of some rows, of the volumes where all of them have one."""
        chosen = [values[:, list(places)] for values in self.values]
        return tuple(values[np.isfinite(values).all(axis=1)] for values in chosen)


class Board:
    """All records of this version of the benchmark.

    counted
        Whether only volumes that enter the main table are looked at: named correctly, and with a
        signal that the network is not known to leave unused. Otherwise only the others are.
    """

    def __init__(self, found: Found, counted: bool = True) -> None:
        self.facts: list[Facts] = [
            fact for fact in found.facts if fact.versions.get("benchmark") == BENCHMARK
        ]
        current = [one for one in found.records if one.versions.get("benchmark") == BENCHMARK]
        self.records = current
        self.ignored = len(found.records) - len(current)
        self.broken = found.broken
        self._by_where: dict[Where, list[Record]] = defaultdict(list)
        for one in current:
            if one.counts == counted:
                self._by_where[one.cell, one.family, one.metric].append(one)

    def cells(self, family: str = "vit") -> list[str]:
        """Return the tasks of a kind of network."""
        return sorted({cell for cell, kind, _ in self._by_where if kind == family})

    @cached_property
    def families(self) -> list[str]:
        """All kinds of networks, those that compete first."""
        return sorted(
            {kind for _, kind, _ in self._by_where}, key=lambda kind: (kind != "vit", kind)
        )

    def columns(self, family: str = "vit", agreement: bool = False) -> list[str]:
        """Return the metrics of a kind of network, by their family and name."""
        names = {column for _, kind, column in self._by_where if kind == family}
        chosen = [name for name in names if name.startswith(f"{PREFIX} ") == agreement]
        return sorted(chosen, key=lambda name: (family_of(name), name))

    def ranked(self, family: str = "vit") -> list[str]:
        """Return the metrics that say which map is better."""
        return [
            column
            for column in self.columns(family)
            if self._direction(family, column) != "none" and column.split()[0] not in UNRANKED
        ]

    @cached_property
    def rows(self) -> list[str]:
        """All rows that were judged: methods first, then controls."""
        there = {one.method: one.kind for one in self.records}
        order = [row.name for row in known_rows() if row.name in there]
        order += sorted(set(there) - set(order))
        return sorted(order, key=lambda name: there[name] == "control")

    @cached_property
    def controls(self) -> frozenset[str]:
        """The rows that no method made."""
        return frozenset(one.method for one in self.records if one.kind == "control")

    def of(self, cell: str, column: str, family: str = "vit") -> list[Record]:
        """Return the records of a metric in a task."""
        return self._by_where.get((cell, family, column), [])

    def uninformative(self, cell: str, column: str, family: str = "vit") -> float:
        """Return the share of a metric's records in a task that cannot tell maps apart."""
        every = self.of(cell, column, family)
        return sum(UNINFORMATIVE in one.flags for one in every) / max(len(every), 1)

    def group(self, cell: str, column: str, family: str = "vit") -> Group | None:
        """Return what a metric says in a task; None where it has no record that tells anything.

        Where a setting cannot tell maps apart (with everything removed the class stays), its scores
        would hide differences that there are.
        """
        every = self.of(cell, column, family)
        records = [one for one in every if UNINFORMATIVE not in one.flags]
        if not records:
            return None
        there = {one.method for one in records}
        return _grouped(records, [row for row in self.rows if row in there])

    def _direction(self, family: str, column: str) -> Direction:
        found = (
            records[0].direction
            for (_, kind, name), records in self._by_where.items()
            if (kind, name) == (family, column)
        )
        return next(found, "none")


def family_of(column: str) -> str:
    """Return the family of a column's metric, such as "localisation"."""
    metric = column.split()[0]
    return METRICS[metric].family if metric in METRICS else "others"


def title_of(column: str) -> str:
    """Return the title of a column: its metric's, and the settings that are not the usual ones."""
    metric, _, settings = column.partition(" ")
    title = METRICS[metric].title if metric in METRICS else metric.replace("_", " ")
    return f"{title}, {settings}" if settings else title


def _grouped(records: Sequence[Record], rows: Sequence[str]) -> Group:
    places = {row: place for place, row in enumerate(rows)}
    by_seed: dict[int, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for one in records:
        by_seed[one.seed][one.sample].append(one)
    seeds = sorted(by_seed)
    samples = [tuple(sorted(by_seed[seed], key=_natural)) for seed in seeds]
    sheets = [
        np.stack([_sheet(by_seed[seed][name], places) for name in names])
        for seed, names in zip(seeds, samples, strict=True)
    ]
    every = np.concatenate(sheets)
    return Group(
        records[0].cell,
        records[0].metric,
        records[0].direction,
        tuple(rows),
        tuple(seeds),
        tuple(samples),
        tuple(sheet[:, 0] for sheet in sheets),
        tuple(sheet[:, 1] for sheet in sheets),
        tuple(sheet[:, 2] for sheet in sheets),
        every[:, 3].sum(axis=0).astype(np.int64),
        every[:, 4].sum(axis=0).astype(np.int64),
    )


def _sheet(records: Sequence[Record], places: dict[str, int]) -> Floats:
    """Return value, chance, ceiling, degenerate and undefined (5, rows) of one volume."""
    sheet = np.full((5, len(places)), nan)
    sheet[3:] = 0
    for one in records:
        degenerate, undefined = "degenerate" in one.flags, not isfinite(one.value)
        sheet[:, places[one.method]] = (
            one.value,
            one.chance,
            one.ceiling,
            degenerate,
            undefined,
        )
    known = np.isfinite(sheet[1])
    usual = float(np.median(sheet[1][known])) if known.any() else nan
    if np.isfinite(sheet[0]).any():  # the volume can be judged, so it is the map that cannot
        lost = (sheet[4] > 0) & ~np.isfinite(sheet[0])
        sheet[0, lost] = np.where(known, sheet[1], usual)[lost]
    else:
        sheet[4] = 0  # it is the volume that cannot be judged, not the map
    return sheet


def _natural(name: str) -> tuple[object, ...]:
    """Order "test 2" before "test 10"."""
    return tuple((0, int(w), "") if w.isdigit() else (1, 0, w) for w in name.split())
