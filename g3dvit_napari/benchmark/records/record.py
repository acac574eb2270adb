"""One score, with all that is needed to say where it comes from; one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import nan
from typing import Any, Literal, TypeVar

from g3dvit_napari.core.jsonable import jsonable
from g3dvit_napari.core.score import Curve, Direction, Score

Kind = Literal["method", "control"]
Key = tuple[Any, ...]
DIGITS = 7  # of every number in a record
_NUMBERS = ("value", "chance", "ceiling", "seconds", "metric_seconds", "accuracy", "gate_share")


@dataclass(frozen=True)
class Record:
    """What one metric said of one map.

    cell, family, seed
        The task, the kind of network, and the seed of its training.
    sample
        The name of the volume.
    method, kind
        The row of the tables: a method with its settings, or a control map.
    metric
        The column: a metric with its settings.
    value, chance, ceiling
        As in `Score`; NaN where there is none.
    correct, gate
        Whether the network names the right class, and whether it uses the signal that the truth
        marks; None where that was not checked.
    seconds, metric_seconds
        What map and metric took.
    figures, curves
        What must be known to read the value, and what it was read from.
    forwards
        Passes that the method made, where they could be counted.
    versions
        Of the benchmark and the packages that computed it.
    """

    cell: str
    family: str
    seed: int
    sample: str
    method: str
    metric: str
    value: float = nan
    chance: float = nan
    ceiling: float = nan
    direction: Direction = "higher"
    kind: Kind = "method"
    flags: tuple[str, ...] = ()
    reason: str = ""
    correct: bool = True
    gate: bool | None = None
    seconds: float = nan
    metric_seconds: float = nan
    forwards: int | None = None
    method_settings: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What no two records share: a second one of the same key replaces the first."""
        place = (self.cell, self.family, self.seed, self.sample, self.method, self.metric)
        return (*place, self.versions.get("benchmark"))

    @property
    def counts(self) -> bool:
        """Whether it enters the main table: right class, the signal not known to be unused."""
        return self.correct and self.gate is not False


@dataclass(frozen=True)
class Facts:
    """What must stand beside every table: how good the network is, and how far its truth holds.

    accuracy
        Share of held-out volumes with the right class.
    gate_share
        Share of the judged volumes on which the network uses the signal; NaN where not checked.
    samples
        How many volumes were judged.
    not_served
        By the name of a method, why this network cannot serve it.
    """

    cell: str
    family: str
    seed: int
    accuracy: float
    gate_share: float = nan
    samples: int = 0
    not_served: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What no two records share."""
        return (self.cell, self.family, self.seed, self.versions.get("benchmark"))


Line = Record | Facts
R = TypeVar("R", Record, Facts)


def line_of(record: Line) -> str:
    """Return a record as one line of JSON without its end; no NaN, which JSON does not have."""
    document = {name: jsonable(value, DIGITS) for name, value in asdict(record).items()}
    what = "score" if isinstance(record, Record) else "network"
    return json.dumps({"what": what, **document}, separators=(",", ":"), allow_nan=False)


def record_of(line: str) -> Line:
    """Return the record in a line.

    Raises
    ------
    ValueError
        When the line is broken, or no record.
    """
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("a record is a JSON object")
    what = found.pop("what", None)
    if what not in ("score", "network"):
        raise ValueError(f"{what!r} is no kind of record")
    kind = Record if what == "score" else Facts
    names = {f.name for f in fields(kind)}
    try:
        return kind(**{name: _typed(name, value) for name, value in found.items() if name in names})
    except (TypeError, KeyError) as error:
        raise ValueError(f"a record lacks what it needs: {error}") from error


def of_score(score: Score) -> dict[str, Any]:
    """Return what a score says, as a record's fields."""
    return {
        "value": score.value,
        "chance": score.chance,
        "ceiling": nan if score.ceiling is None else score.ceiling,
        "direction": score.direction,
        "flags": tuple(score.flags),
        "reason": score.reason,
        "settings": dict(score.settings),
        "figures": dict(score.figures),
        "curves": dict(score.curves),
    }


def _typed(name: str, value: Any) -> Any:
    if name in _NUMBERS and value is None:
        return nan
    if name == "flags":
        return tuple(value)
    if name == "curves":
        return {key: _curve(item) for key, item in value.items()}
    return value


def _curve(found: Mapping[str, Any]) -> Curve:
    return Curve(
        tuple(nan if x is None else x for x in found["fractions"]),
        tuple(nan if x is None else x for x in found["values"]),
    )
