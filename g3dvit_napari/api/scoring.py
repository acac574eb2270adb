"""One metric on one map: what it needs, what chance and ceiling are, and when it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from g3dvit_napari.core.controls import control
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.registry import MetricEntry
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS

_LACKING = {
    "truth": "no mask says where the signal is",
    "distractor": "no mask says where a distractor is",
    "brain": "no mask says where the brain is",
    "valid": "no mask says where relevance counts",
    "network": "the network is not at hand",
    "explainer": "no method made this map",
}
_MASKS = frozenset({"truth", "distractor", "brain"})


def scored(name: str, evaluation: Evaluation, settings: Mapping[str, Any] | None = None) -> Score:
    """Run one metric on one map.

    A map that says nothing where it counts gets the chance value where a metric ranks, so that it
    can neither win nor hide. The ceiling of a metric that compares with a mask is its score for
    the oracle: the share of the target in every patch.

    Raises
    ------
    MethodError
        When there is no such metric or setting.
    """
    entry = METRICS[name]
    chosen = entry.checked(settings or {})
    if reason := _hindrance(entry, evaluation, chosen):
        found = undefined(reason)
    else:
        found = _found(entry, evaluation, chosen)
    return replace(found, metric=name, direction=entry.direction, settings=chosen)


def _hindrance(entry: MetricEntry, evaluation: Evaluation, chosen: Mapping[str, Any]) -> str:
    """Return why the metric cannot be computed for this map, or an empty string."""
    if missing := [_LACKING[need] for need in sorted(entry.needs) if not _has(evaluation, need)]:
        return "; ".join(missing)
    for need in sorted(entry.needs & _MASKS):
        if words := _trivial(evaluation.scene, need):
            return words
    if chosen.get("substrate") == "twin" and evaluation.scene.twin is None:
        return "this volume has no twin without the signal"
    if not np.isfinite(evaluation.tokens).all():
        return "the map holds values that are not finite"
    return ""


def _has(evaluation: Evaluation, need: str) -> bool:
    holder = evaluation if need == "explainer" else evaluation.scene
    return getattr(holder, need) is not None


def _trivial(scene: Scene, name: str) -> str:
    """Say whether a mask is empty or everything where relevance counts."""

    def said() -> str:
        inside = getattr(scene, name)[scene.seen if name == "brain" else scene.counted]
        if inside.any() and not inside.all():
            return ""
        words = "everything" if inside.any() else "empty"
        return f"the {name} mask is {words} where relevance counts"

    return scene.once(("trivial", name), said)


def _found(entry: MetricEntry, evaluation: Evaluation, chosen: Mapping[str, Any]) -> Score:
    found: Score = entry.function(evaluation, **chosen)
    if entry.direction != "none" and _silent(evaluation, chosen):
        reason = "" if isfinite(found.chance) else found.reason
        flags = tuple(dict.fromkeys((*found.flags, "degenerate")))
        found = replace(found, value=found.chance, flags=flags, reason=reason)
    if found.ceiling is None and "truth" in entry.needs:
        found = replace(found, ceiling=_ceiling(entry, evaluation.scene, chosen))
    return found


def _silent(evaluation: Evaluation, chosen: Mapping[str, Any]) -> bool:
    """Whether no place stands out, at the level and with the sign that were asked for."""
    if evaluation.degenerate or not {"level", "sign"} & chosen.keys():
        return evaluation.degenerate or not _stands_out(evaluation.as_meant)
    level, sign = chosen.get("level", "voxel"), chosen.get("sign", "positive")
    return not _stands_out(evaluation.values(level, sign))


def _stands_out(values: Any) -> bool:
    return bool(values.size and np.ptp(values) > 0)


def _ceiling(entry: MetricEntry, scene: Scene, settings: Mapping[str, Any]) -> float:
    """Return the score of the oracle, computed once for all maps of a scene."""
    best = scene.once("oracle", lambda: control("oracle", scene))
    key = ("ceiling", entry.name, *sorted(settings.items()))
    value: float = scene.once(key, lambda: entry.function(best, **settings).value)
    return value
