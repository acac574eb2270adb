"""The volumes and labels of every step of a training: the recipe and the step decide them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from g3dvit_napari.benchmark.sample import Draw, Sample, Split, Task, generator
from g3dvit_napari.benchmark.training.recipe import Recipe
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.spec import ModelSpec
from g3dvit_napari.core.types import Volume

_FAR = 10_000_000  # training volumes of one seed, when each is seen once
_PERMUTED = 9  # stream of the labels that say nothing


def tensor_of(volumes: Sequence[Volume], spec: ModelSpec) -> Tensor:
    """Return what the network gets to see of some volumes (b c f h w)."""
    return torch.from_numpy(np.stack([Placement(v, spec).to_tensor() for v in volumes]))


def label_of(sample: Sample, index: int, recipe: Recipe, split: Split, classes: int) -> int:
    """Return the class that is taught: the true one, or one that has nothing to do with it."""
    if not recipe.permuted:
        return sample.label
    return int(generator(0, split, index, _PERMUTED).integers(classes))


def batches(
    recipe: Recipe, task: Task, spec: ModelSpec, first: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images (b c f h w) and labels (b) from one step on."""
    kept: dict[int, tuple[Tensor, int]] = {}
    for step in range(first, recipe.steps):
        draw = drawer(recipe, task, step)
        drawn = [_drawn(int(i), draw, recipe, spec, kept) for i in indices(recipe, step)]
        images, labels = zip(*drawn, strict=True)
        yield torch.stack(images), torch.tensor(labels)


def drawer(recipe: Recipe, task: Task, step: int) -> Draw:
    """Return how samples are drawn in one step: easier ones at first, where the recipe says so."""
    if not recipe.easy:
        return task.draw
    if task.draw_at is None or recipe.samples is not None:
        raise MethodError(f"{recipe.task} cannot begin easily; set easy to 0 in the recipe")
    return partial(task.draw_at, min(1.0, step / (recipe.easy * recipe.steps)))


def indices(recipe: Recipe, step: int) -> NDArray[np.int64]:
    """Return which training volumes one step sees."""
    at = np.arange(step * recipe.batch, (step + 1) * recipe.batch)
    if recipe.samples is None:
        return at + recipe.seed * _FAR
    epochs, places = np.divmod(at, recipe.samples)
    orders = {e: _order(recipe.seed, int(e), recipe.samples) for e in np.unique(epochs)}
    return np.array([orders[e][p] for e, p in zip(epochs, places, strict=True)])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)


def _drawn(
    index: int, draw: Draw, recipe: Recipe, spec: ModelSpec, kept: dict[int, tuple[Tensor, int]]
) -> tuple[Tensor, int]:
    """Return one volume and its label; a limited number of volumes is drawn once, and kept."""
    if index not in kept:
        sample = draw("train", index)
        label = label_of(sample, index, recipe, "train", spec.network.classes or 0)
        found = tensor_of([sample.volume], spec)[0], label
        if recipe.samples is None:
            return found
        kept[index] = found
    return kept[index]
