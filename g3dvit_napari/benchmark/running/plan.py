"""How much is judged: which rows by which columns, on how many volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from g3dvit_napari.benchmark.running.columns import Column, columns_named
from g3dvit_napari.benchmark.running.rows import Row, rows_named
from g3dvit_napari.core.errors import MethodError, unknown_name


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


# Curves are made twice a volume and row, so fewer volumes get them; twins stay among the data that
# the network knows, which no other baseline does.
_CI = (
    "auroc",
    "average_precision",
    "iou",
    "max_iou",
    "pointing_game",
    "pointing_game level=patch",
    "relevance_mass",
    "relevance_rank",
    "mass_distance",
    "sparseness",
    "deletion substrate=twin",
    "insertion substrate=twin",
)
_CLAIMS = (*_CI, "f1", "pixel_accuracy", "deletion", "insertion")
_NIGHTLY = (
    *_CI,
    "matthews",
    "f1",
    "pixel_accuracy",
    "top_k_intersection",
    "emd_score",
    "in_brain_mass",
    "distractor_mass",
    "distractor_hit",
    "complexity",
    "deletion",
    "insertion",
    "deletion substrate=mean",
    "insertion substrate=mean",
    "deletion substrate=blur",
    "insertion substrate=blur",
    "road",
    "faithfulness_correlation",
    "infidelity",
    "max_sensitivity",
    "model_randomisation",
    "class_sensitivity",
)


def plan_of_tier(
    tier: str,
    methods: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    limits: Sequence[int] | None = None,
) -> Plan:
    """Return the plan of a tier.

    "ci" has 8 volumes per network, 1 for methods of many passes and 3 for metrics of many passes,
    and the metrics that say most; "claims" has 30, 4 and 10, and the cuts and baselines of the
    papers besides; "nightly" 30, 10 and 10; "gpu" 100, 50 and 50.

    Parameters
    ----------
    limits
        Such three numbers, instead of those of the tier.

    Raises
    ------
    MethodError
        When a tier, method or metric is unknown, or limits are not three.
    """
    if tier not in _LIMITS:
        raise MethodError(unknown_name("tier", tier, _LIMITS))
    numbers = tuple(limits or _LIMITS[tier])
    if len(numbers) != 3 or min(numbers) < 1:
        raise MethodError(
            "three numbers of volumes are needed (of all, for methods of many passes, for metrics "
            f"of many passes), each at least 1; got {', '.join(map(str, numbers))}"
        )
    volumes, many, slow = numbers
    return Plan(
        rows_named(methods),
        columns_named(metrics or _COLUMNS[tier]),
        volumes,
        many,
        slow,
    )


_LIMITS = {"ci": (8, 1, 3), "nightly": (30, 10, 10), "claims": (30, 4, 10), "gpu": (100, 50, 50)}
_COLUMNS = {"ci": _CI, "nightly": _NIGHTLY, "claims": _CLAIMS, "gpu": _NIGHTLY}
