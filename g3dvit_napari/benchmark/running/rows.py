"""What is judged, row by row: methods with their settings, and controls that no method made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from g3dvit_napari import api
from g3dvit_napari.benchmark.records.record import Kind
from g3dvit_napari.core.controls import CONTROLS
from g3dvit_napari.core.errors import MethodError, unknown_name
from g3dvit_napari.core.registry import Cost

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle

PUBLISHED = "g3dvit"  # the method whose four poolings are rows of their own


@dataclass(frozen=True)
class Row:
    """One row of the tables.

    name
        What stands in the table, and in every record.
    maker
        The name of the method or of the control map.
    settings
        Of the method, all of them.
    """

    name: str
    maker: str
    kind: Kind = "method"
    settings: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost = "instant"


def method_row(method: str, **settings: Any) -> Row:
    """Return the row of a method; its name tells the settings that are not the usual ones."""
    entry = api.METHODS[method]
    words = " ".join(f"{name}={value}" for name, value in settings.items())
    name = f"{method} {words}".strip()
    return Row(name, method, "method", entry.checked(settings), entry.cost)


def known_rows() -> tuple[Row, ...]:
    """Return every method, the poolings of the published one, and every control."""
    pooling = next(p for p in api.METHODS[PUBLISHED].parameters if p.name == "pooling")
    others = [choice for choice in pooling.choices if choice != pooling.default]
    return (
        *(method_row(name) for name in api.METHODS),
        *(method_row(PUBLISHED, pooling=choice) for choice in others),
        *(Row(name, name, "control") for name in CONTROLS),
    )


def rows_named(names: Sequence[str] | None) -> tuple[Row, ...]:
    """Return the rows of some names, a method's name meaning its poolings too; None: all.

    Controls always come along: a table without them cannot be read.

    Raises
    ------
    MethodError
        When a name is unknown.
    """
    rows = known_rows()
    if names is None:
        return rows
    known = {row.maker for row in rows} | {row.name for row in rows}
    for name in names:
        if name not in known:
            raise MethodError(unknown_name("row", name, sorted(known)))
    return tuple(row for row in rows if row.kind == "control" or {row.name, row.maker} & set(names))


def served(rows: Sequence[Row], model: ModelHandle) -> tuple[list[Row], dict[str, str]]:
    """Return the rows that a network can serve, and why it cannot serve the others."""
    reasons = {
        row.maker: reason
        for row in rows
        if row.kind == "method" and (reason := api.why_not(row.maker, model))
    }
    return [row for row in rows if row.maker not in reasons], reasons
