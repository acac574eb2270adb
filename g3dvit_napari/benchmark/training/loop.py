"""Follow the loss down, and go on where an earlier run was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.benchmark.sample import Task
from g3dvit_napari.benchmark.training.batches import batches
from g3dvit_napari.benchmark.training.networks import fresh, spec_of
from g3dvit_napari.benchmark.training.recipe import Recipe
from g3dvit_napari.core.progress import Progress
from g3dvit_napari.io.atomic import replacing

KEEP_SECONDS = 20.0  # between two states that are kept for a later run
CLIP = 1.0  # largest norm of the gradient
RISE = 0.15  # share of the steps in which the rate of one cycle rises

Weights = Mapping[str, Tensor]
Scheduler = torch.optim.lr_scheduler.OneCycleLR


@dataclass(eq=False)
class Learner:
    """A network on its way: all that must be kept to go on."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: Scheduler | None
    step: int = 0
    seconds: float = 0.0
    loss: float = float("nan")

    def state(self) -> dict[str, Any]:
        """Return everything that changes in a step, as tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state that was kept."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        self.step, self.seconds = state["step"], state["seconds"]

    def learn(self, images: Tensor, labels: Tensor) -> None:
        """Take one step."""
        kind = images.device.type
        self.optimiser.zero_grad()
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=kind == "cuda"):
            loss = F.cross_entropy(self.network(images).float(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimiser.step()
        if self.schedule is not None:
            self.schedule.step()
        self.step += 1
        self.loss = loss.item()


def learner_of(
    recipe: Recipe, task: Task, device: torch.device, start: Weights | None = None
) -> Learner:
    """Return a network that has learned nothing yet, or only what its first weights hold."""
    network = fresh(recipe, task).to(device).train()
    if start is not None:
        network.load_state_dict(start)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = None
    if recipe.one_cycle:
        schedule = Scheduler(optimiser, recipe.rate, recipe.steps, pct_start=RISE)
    return Learner(network, optimiser, schedule)


def fit(
    recipe: Recipe,
    task: Task,
    unfinished: Path,
    progress: Progress | None = None,
    device: torch.device | None = None,
    *,
    start: Weights | None = None,
) -> Learner:
    """Train a network to the end of its recipe.

    Parameters
    ----------
    unfinished
        File in which the state is kept from time to time, and when `progress` stops the work; what
        is found there is gone on from. The caller deletes it.
    progress
        Called after every step with a fraction and a word; may raise `Cancelled`.
    start
        The weights to begin with.
    """
    place = device or torch.device("cpu")
    learner = learner_of(recipe, task, place, start)
    if unfinished.is_file():
        learner.restore(torch.load(unfinished, map_location=place, weights_only=True))
    try:
        _follow(learner, recipe, task, lambda: keep(learner, unfinished), progress)
    except BaseException:
        keep(learner, unfinished)
        raise
    learner.network.eval()
    return learner


def _follow(
    learner: Learner,
    recipe: Recipe,
    task: Task,
    keep_now: Callable[[], None],
    progress: Progress | None,
) -> None:
    place = next(learner.network.parameters()).device
    before, kept = time.perf_counter(), time.perf_counter()
    for images, labels in batches(recipe, task, spec_of(recipe, task), learner.step):
        learner.learn(images.to(place), labels.to(place))
        now = time.perf_counter()
        learner.seconds, before = learner.seconds + now - before, now
        if now - kept > KEEP_SECONDS:
            keep_now()
            kept = now
        if progress is not None:
            word = f"{recipe.id}: step {learner.step} of {recipe.steps}, loss {learner.loss:.3f}"
            progress(learner.step / recipe.steps, word)


def keep(learner: Learner, path: Path) -> None:
    """Write a state, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as (part,):
        torch.save(learner.state(), part)
