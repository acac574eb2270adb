"""The trained networks of a tier, with volumes that they have never seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from g3dvit_napari import benchmark
from g3dvit_napari.benchmark.running.trained import Trained
from g3dvit_napari.benchmark.training.recipe import Recipe
from g3dvit_napari.benchmark.training.tiers import MODELS, chosen


def entrants(
    tier: str,
    folder: Path | None = None,
    *,
    seeds: Collection[int] | None = None,
    only: str = "",
    volumes: int = 8,
    device: str = "cpu",
) -> list[Trained]:
    """Return the networks of a tier, ready to be judged.

    Parameters
    ----------
    folder
        Where trained networks lie; the user's cache when not given.
    seeds
        Of which training runs; all when not given.
    only
        Networks whose names begin with this; several with commas between.
    volumes
        How many test volumes of each network.

    Raises
    ------
    MethodError
        When there is no such tier, or no such network in it.
    CheckpointError
        When a network has not been trained.
    """
    return [entrant(one, folder, volumes, device) for one in chosen(tier, only, seeds)]


def entrant(recipe: Recipe, folder: Path | None, volumes: int, device: str = "cpu") -> Trained:
    """Return one network with its test volumes, and which of them it uses the signal of."""
    model = benchmark.trained(recipe.id, folder, device)
    some = benchmark.samples(recipe.id, "test", volumes)
    verdicts, _ = benchmark.validity(model, some)
    gate = {
        sample.name: verdict.valid
        for sample, verdict in zip(some, verdicts, strict=True)
        if verdict.signal  # where there is none, nothing can be taken away
    }
    accuracy = benchmark.report(recipe.id, folder).accuracy
    cell, family = cell_of(recipe, list(MODELS.values())), family_of(recipe)
    return Trained(cell, recipe.seed, model, some, accuracy, gate, family)


def family_of(recipe: Recipe) -> str:
    """Return "vit" or "resnet"."""
    return "resnet" if recipe.network.kind == "resnet_3d" else "vit"


def cell_of(recipe: Recipe, known: Sequence[Recipe]) -> str:
    """Return the name of a network's task in the tables: that of the ViT that learned the same."""
    if family_of(recipe) == "vit":
        return recipe.model
    same = [
        one.model
        for one in known
        if one.task == recipe.task and family_of(one) == "vit" and not one.permuted
    ]
    return same[0] if same else recipe.model
