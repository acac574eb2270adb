"""How far a map moves when the input hardly does: shared by max- and mean-sensitivity."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.evaluation import Evaluation

Floats = NDArray[np.float64]
UNRELATED = sqrt(2)  # |a - b| / |a| of two unrelated maps without a mean
UNRELATED_POSITIVE = sqrt(2 * (1 - 1 / pi))  # the same of the positive parts of normal maps


def relative_changes(evaluation: Evaluation, radius: float, draws: int) -> Floats:
    """Return ‖a(x + d) - a(x)‖ / ‖a(x)‖ (draws) for random d; all NaN where a(x) is zero.

    Every value of d is uniform between -r and r, r being `radius` per cent of the standard
    deviation of x; where relevance does not count it is zero. The explained class stays the same.
    """
    size = float(np.linalg.norm(evaluation.as_meant))
    if size == 0:
        return np.full(draws, np.nan)
    maps = _explained_again(evaluation, radius, draws)
    moved = [np.linalg.norm(evaluation.like(m).as_meant - evaluation.as_meant) for m in maps]
    return np.array(moved) / size


def chance_of(evaluation: Evaluation) -> float:
    """Return the relative change of a map that is drawn anew each time."""
    return UNRELATED if evaluation.signed else UNRELATED_POSITIVE


def _explained_again(evaluation: Evaluation, radius: float, draws: int) -> list[Floats]:
    """Return the maps of the changed inputs, made once for all metrics that look at them."""
    scene, explainer = evaluation.scene, evaluation.explainer
    if explainer is None:
        raise ValueError("no method made this map; a metric must say that it needs one")

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
