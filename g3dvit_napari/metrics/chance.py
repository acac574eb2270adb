"""What maps that know nothing get, where no formula says it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

import numpy as np

from g3dvit_napari.core.controls import judged, random
from g3dvit_napari.core.evaluation import Evaluation, Scene

FEWEST, MOST = 8, 100
PLACES = 2**21  # in all draws together: 32 of 40 x 40 x 40 voxels, a quarter of a second
_FIRST = 1000  # apart from the draws that are judged as controls


def random_maps(scene: Scene, draws: int) -> Iterator[Evaluation]:
    """Yield maps of uniform noise on the patches of a scene, always the same ones."""
    for draw in range(draws):
        yield judged(random(scene, _FIRST + draw), scene)


def draws_for(places: int) -> int:
    """Return how many maps of noise to measure: fewer where each has many places."""
    return min(MOST, max(FEWEST, PLACES // max(places, 1)))


def measured(
    scene: Scene, key: tuple[Hashable, ...], measure: Callable[[Evaluation], float], draws: int
) -> float:
    """Return the mean of a measure over maps of noise, computed once for a scene under a key."""

    def mean() -> float:
        return float(np.mean([measure(each) for each in random_maps(scene, draws)]))

    return scene.once(("chance", *key), mean)
