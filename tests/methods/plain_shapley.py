"""Shapley values by their definition: over all subsets, with their factorials."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.baselines import Derived, derived_baseline
from g3dvit_napari.models.sampling.boxes import boxes_of

Worth = Callable[[frozenset[int]], NDArray[np.float64]]


def shapley_values(players: int, worth: Worth) -> NDArray[np.float64]:
    """Return the values (k m) of a game."""
    known = {
        frozenset(some): worth(frozenset(some))
        for size in range(players + 1)
        for some in combinations(range(players), size)
    }
    values = np.zeros((len(known[frozenset()]), players))
    for player in range(players):
        for some in known:
            if player not in some:
                weight = factorial(len(some)) * factorial(players - len(some) - 1)
                gain = known[some | {player}] - known[some]
                values[:, player] += weight / factorial(players) * gain
    return values


def box_game(run: ForwardPass, side: int, baseline: Derived) -> tuple[Worth, int, Tensor]:
    """Return the worth of coalitions of boxes, image by image; how many; the box of each voxel."""
    boxes, size = boxes_of(run, side), run.image.shape[2:]
    sides = [int(length) for length in boxes.size]
    numbers = torch.zeros(size, dtype=torch.long)
    for voxel in np.ndindex(*size):
        place = tuple(v // s for v, s in zip(voxel, sides, strict=True))
        numbers[voxel] = int(np.ravel_multi_index(place, boxes.shape))
    start = derived_baseline(run.image, baseline)

    def worth(some: frozenset[int]) -> NDArray[np.float64]:
        present = torch.tensor([n in some for n in range(boxes.count)])[numbers]
        return run.model.logits(torch.where(present, run.image, start))[0].numpy()

    return worth, boxes.count, numbers
