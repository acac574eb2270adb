"""How far a map moves when the input hardly does, or by what the network does not see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import nan, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics.asking import made_by

Floats = NDArray[np.float64]
UNRELATED = sqrt(2)  # |a - b| / |a| of two unrelated maps without a mean
UNRELATED_POSITIVE = sqrt(2 * (1 - 1 / pi))  # the same of the positive parts of normal maps


def score_of_changes(
    evaluation: Evaluation, radius: float, draws: int, reduce: Callable[[Floats], np.floating[Any]]
) -> Score:
    """Return what the relative changes come to, beside what an unrelated map would give."""
    changes = relative_changes(evaluation, radius, draws)
    chance = chance_of(evaluation)
    if not np.isfinite(changes).all():
        return undefined("the map is zero, or that of a changed input not finite", chance)
    return Score(float(reduce(changes)), chance)


def relative_changes(evaluation: Evaluation, radius: float, draws: int) -> Floats:
    """Return ‖a(x + d) - a(x)‖ / ‖a(x)‖ (draws) for random d; all NaN where a(x) is zero.

    Every value of d is uniform between -r and r, r being `radius` per cent of the standard
    deviation of x; where relevance does not count it is zero. The explained class stays the same.
    """
    if not evaluation.as_meant.any():
        return np.full(draws, np.nan)
    maps = _explained_again(evaluation, radius, draws)
    return np.array([relative_change(evaluation, tokens) for tokens in maps])


def relative_change(evaluation: Evaluation, tokens: Floats) -> float:
    """Return ‖b - a‖ / ‖a‖ of a map a and another one by its method; NaN where a is zero."""
    size = float(np.linalg.norm(evaluation.as_meant))
    moved = float(np.linalg.norm(evaluation.like(tokens).as_meant - evaluation.as_meant))
    return moved / size if size > 0 else nan


def chance_of(evaluation: Evaluation) -> float:
    """Return the relative change of a map that is drawn anew each time."""
    return UNRELATED if evaluation.signed else UNRELATED_POSITIVE


def _explained_again(evaluation: Evaluation, radius: float, draws: int) -> list[Floats]:
    """Return the maps of the changed inputs, made once for all metrics that look at them."""
    scene, explainer = evaluation.scene, made_by(evaluation)

    def made() -> list[Floats]:
        image = scene.placement.to_tensor()
        changes = changes_of(image, radius, draws, scene.seed)
        return [explainer.again(image + change * scene.counted_input) for change in changes]

    return evaluation.once(("explained again", radius, draws), made)


def changes_of(
    image: NDArray[np.float32], radius: float, draws: int, seed: int
) -> Iterator[NDArray[np.float32]]:
    """Yield what is added to an image, the same for all maps of a scene."""
    reach, random = radius / 100 * float(image.std()), np.random.default_rng([seed, draws])
    for _ in range(draws):
        yield random.uniform(-reach, reach, image.shape).astype(np.float32)
