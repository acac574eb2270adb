"""By what is judged, column by column: metrics with their settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from g3dvit_napari import api
from g3dvit_napari.core.registry import MetricEntry


@dataclass(frozen=True)
class Column:
    """One column of the tables: a metric and all of its settings."""

    name: str
    metric: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entry(self) -> MetricEntry:
        """What the metric declares about itself."""
        return api.METRICS[self.metric]


def column(metric: str, **settings: Any) -> Column:
    """Return the column of a metric; its name tells the settings that are not the usual ones."""
    words = " ".join(f"{name}={value}" for name, value in settings.items())
    return Column(f"{metric} {words}".strip(), metric, api.METRICS[metric].checked(settings))


def columns_named(names: Sequence[str] | None) -> tuple[Column, ...]:
    """Return the columns of some names, such as "pointing_game" or "pointing_game level=patch".

    All metrics with their usual settings when not given.

    Raises
    ------
    MethodError
        When a metric or a setting is unknown.
    """
    if names is None:
        return tuple(column(name) for name in api.METRICS)
    return tuple(_parsed(name) for name in names)


def _parsed(name: str) -> Column:
    metric, *words = name.split()
    return column(metric, **dict(word.split("=", 1) for word in words))
