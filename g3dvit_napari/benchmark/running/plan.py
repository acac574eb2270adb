"""How much is judged: which rows by which columns, on how many volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from g3dvit_napari.benchmark.running.columns import Column, columns_named
from g3dvit_napari.benchmark.running.rows import Row, rows_named


@dataclass(frozen=True)
class Plan:
    """What a run computes.

    rows, columns
        Methods and controls, metrics.
    volumes
        How many of each network's volumes; None: all.
    volumes_of_many_passes
        How many for methods that run the network many times; None: as many as for the others.
    volumes_of_slow_metrics
        How many for metrics that do.
    """

    rows: tuple[Row, ...] = field(default_factory=lambda: rows_named(None))
    columns: tuple[Column, ...] = field(default_factory=lambda: columns_named(None))
    volumes: int | None = None
    volumes_of_many_passes: int | None = None
    volumes_of_slow_metrics: int | None = None

    def asks(self, row: Row, column: Column, place: int) -> bool:
        """Return whether a row is judged by a column on volume number `place`."""
        limits = [self.volumes]
        if row.cost == "many passes":
            limits.append(self.volumes_of_many_passes)
        if column.entry.cost == "many passes":
            limits.append(self.volumes_of_slow_metrics)
        if "explainer" in column.entry.needs and (
            row.kind == "control" or row.cost == "many passes"
        ):
            return False  # nothing can be asked again, or it would take many times many passes
        return all(limit is None or place < limit for limit in limits)


def plan_of(
    methods: Sequence[str] | None = None, metrics: Sequence[str] | None = None, **limits: int | None
) -> Plan:
    """Return a plan of names; all where none are given."""
    return Plan(rows_named(methods), columns_named(metrics), **limits)


def records_path(folder: Path) -> Path:
    """Return where the records of a run lie."""
    return folder / "records.jsonl"
