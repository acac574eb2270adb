"""One metric on one map: what it needs, what chance and ceiling are, and when it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS

_LACKING = {
    "truth": "no mask says where the signal is",
    "valid": "no mask says where relevance counts",
    "network": "the network is not at hand",
    "explainer": "no method made this map",
}


def scored(name: str, evaluation: Evaluation, settings: Mapping[str, Any] | None = None) -> Score:
    """Run one metric on one map.

    A map that says nothing gets the chance value where a metric ranks, so that it can neither win
    nor hide. The ceiling of a metric that compares with a mask is its score for the oracle: the
    share of the target in every patch.

    Raises
    ------
    MethodError
        When there is no such metric or setting.
    """
    entry = METRICS[name]
    chosen = entry.checked(settings or {})

    def finished(score: Score) -> Score:
        return replace(score, metric=name, direction=entry.direction, settings=chosen)

    if missing := [_LACKING[need] for need in sorted(entry.needs) if not _has(evaluation, need)]:
        return finished(undefined("; ".join(missing)))
    if evaluation.scene.truth is not None and "truth" in entry.needs:
        target = evaluation.scene.truth[evaluation.scene.counted]
        if not target.any() or target.all():
            words = "empty" if not target.any() else "everything"
            return finished(undefined(f"the mask is {words} where relevance counts"))
    if not np.isfinite(evaluation.tokens).all():
        return finished(undefined("the map holds values that are not finite"))
    found = entry.function(evaluation, **chosen)
    if evaluation.degenerate and entry.direction != "none":
        found = replace(found, value=found.chance, flags=(*found.flags, "degenerate"))
    if found.ceiling is None and "truth" in entry.needs:
        found = replace(found, ceiling=_ceiling(name, evaluation, chosen))
    return finished(found)


def _has(evaluation: Evaluation, need: str) -> bool:
    holder = evaluation if need == "explainer" else evaluation.scene
    return getattr(holder, need) is not None


def _ceiling(name: str, evaluation: Evaluation, settings: Mapping[str, Any]) -> float:
    """Return the score of the oracle, computed once for all maps of a scene."""
    key = ("ceiling", name, *sorted(settings.items()))
    kept = evaluation.scene.kept
    if key not in kept:
        kept[key] = METRICS[name].function(oracle(evaluation), **settings).value
    return float(kept[key])


def oracle(evaluation: Evaluation) -> Evaluation:
    """Return the best map that patches allow: the share of the target in each."""
    scene: Scene = evaluation.scene
    if scene.truth is None:
        raise ValueError("there is no truth to make an oracle of")
    share = np.nan_to_num(scene.share_of_patches(scene.truth)).reshape(scene.patches.shape)
    return evaluation.of_map(share, scene.placement.map_cells)
