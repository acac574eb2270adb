"""Metrics and scores for tests of the window: no map is judged, what comes is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import nan
from types import SimpleNamespace
from typing import Any

from g3dvit_napari.core.registry import MetricEntry
from g3dvit_napari.core.score import Curve, Score


def _entry(family: str, name: str, title: str, **facts: Any) -> MetricEntry:
    def function(_evaluation: object) -> None:
        """Measure something.

        In a certain way.
        """

    function.__module__ = f"made.{family}.{name}"
    if "needs" in facts:
        facts["needs"] = frozenset(facts["needs"])
    return MetricEntry(name, title, function, (), **facts)


METRICS: Mapping[str, MetricEntry] = {
    entry.name: entry
    for entry in (
        _entry("character", "entropy", "Entropy", direction="none"),
        _entry(
            "faithfulness",
            "deletion",
            "Deletion",
            needs={"network"},
            direction="lower",
            cost="many passes",
        ),
        _entry("faithfulness", "insertion", "Insertion", needs={"network"}, cost="many passes"),
        _entry("localisation", "in_brain_mass", "In-brain mass", needs={"brain"}),
        _entry("localisation", "relevance_mass", "Relevance mass", needs={"truth"}),
        _entry("localisation", "distractor_mass", "Distractor mass", needs={"distractor"}),
        _entry(
            "sanity",
            "model_randomisation",
            "Model randomisation",
            needs={"explainer"},
            direction="lower",
            cost="many passes",
        ),
    )
}
FALLING = Curve((0.0, 0.01, 0.1, 1.0), (0.9, 0.5, 0.1, 0.05))
RANDOM = Curve((0.0, 0.01, 0.1, 1.0), (0.9, 0.9, 0.8, 0.05))
ENDS = {"probability": 0.9, "probability_baseline": 0.05}
SCORES: Mapping[str, Score] = {
    "entropy": Score(2.5, 3.0),
    "deletion": Score(
        0.1, 0.4, figures=ENDS, curves={"deletion": FALLING, "deletion, chance": RANDOM}
    ),
    "insertion": Score(0.8, 0.5, flags=("uninformative",)),
    "in_brain_mass": Score(0.7, 0.5),
    "relevance_mass": Score(0.3, 0.1, ceiling=0.6),
    "distractor_mass": Score(nan, nan, reason="no mask says where a distractor is"),
    "model_randomisation": Score(0.02, 0.1),
}


def score_of(metric: str, given: Mapping[str, Score]) -> Score:
    """Return a score as whoever runs the metric finishes it."""
    return replace(given[metric], metric=metric, direction=METRICS[metric].direction)


def counted(metrics: tuple[str, ...]) -> Any:
    """Return how many passes metrics take."""
    many = [name for name in metrics if METRICS[name].cost == "many passes"]
    return SimpleNamespace(network=123 * len(many), methods={})
