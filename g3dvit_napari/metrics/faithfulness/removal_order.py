"""The order in which a map has the parts of a volume removed, and orders that know no map."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.removal import Unit

Ranks = NDArray[np.int64]
End = Literal["most", "least"]
DRAWS = 3
TIED = 0.01  # of the first half: with more, one draw says too little


def orders_of(evaluation: Evaluation, unit: Unit, end: End = "most") -> list[Ranks]:
    """Return ranks (units) by falling value, 0 for the largest; -1 where nothing counts.

    Ties are broken at random, the same for all maps of a scene. There are three draws where more
    than 1 % of the half that goes first is tied, else one.

    Parameters
    ----------
    evaluation
        The map.
    unit
        What goes at once.
    end
        Whether the most or the least relevant units go first; the ranks count from the most
        relevant one in either case.
    """
    counted = evaluation.scene.counted_units(unit)
    values = evaluation.on_units(unit)[counted]
    first = np.sort(values) if end == "least" else np.sort(values)[::-1]
    half = first[: -(-len(values) // 2)]
    found, counts = np.unique(values, return_counts=True)
    tied = np.isin(half, found[counts > 1])
    draws = DRAWS if tied.size and tied.mean() > TIED else 1
    return [_ranks(counted, values, _drawn(evaluation.scene, len(values), k)) for k in range(draws)]


def random_orders(scene: Scene, unit: Unit) -> list[Ranks]:
    """Return orders drawn at random, shared by all maps of a scene: what chance removes."""
    counted = scene.counted_units(unit)
    count = int(counted.sum())
    return [_ranks(counted, np.zeros(count), _drawn(scene, count, k)) for k in range(DRAWS)]


def reversed_order(ranks: Ranks) -> Ranks:
    """Return the ranks of the opposite order."""
    return np.where(ranks >= 0, ranks.max(initial=0) - ranks, -1)


def _drawn(scene: Scene, count: int, number: int) -> Ranks:
    return np.random.default_rng((scene.seed, number)).permutation(count)


def _ranks(counted: NDArray[np.bool_], values: NDArray[np.float64], draw: Ranks) -> Ranks:
    ranks = np.full(counted.shape, -1, dtype=np.int64)
    inside = np.empty(len(values), dtype=np.int64)
    inside[np.lexsort((draw, -values))] = np.arange(len(values))
    ranks[counted] = inside
    return ranks
