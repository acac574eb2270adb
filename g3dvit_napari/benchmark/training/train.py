"""Train the networks of a tier: what is there is kept, what was stopped goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from g3dvit_napari.benchmark.gate import shares, verdicts
from g3dvit_napari.benchmark.sample import Sample, Split, checked_split
from g3dvit_napari.benchmark.tasks import task_named
from g3dvit_napari.benchmark.training.batches import label_of
from g3dvit_napari.benchmark.training.loop import Learner, fit
from g3dvit_napari.benchmark.training.networks import spec_of
from g3dvit_napari.benchmark.training.recipe import Recipe
from g3dvit_napari.benchmark.training.store import Place, Report
from g3dvit_napari.core.progress import Progress
from g3dvit_napari.models.handle import resolve_device
from g3dvit_napari.models.reading.loading import module_handle

TESTED = 200  # test volumes of a report
_PACKAGES = ("g3dvit-napari", "torch", "numpy", "scipy")


def train_one(
    recipe: Recipe, folder: Path, progress: Progress | None = None, device: str = "auto"
) -> Report:
    """Train one network, unless it is there, and write it with its report.

    One that begins where another ended has that one trained first.
    """
    place, start = Place(folder, recipe), None
    if place.report.is_file():
        return place.read_report()
    if recipe.after is not None:
        train_one(recipe.after, folder, progress, device)
        start = load_file(Place(folder, recipe.after).weights)
    task, where = task_named(recipe.task), resolve_device(device)
    learner = fit(recipe, task, place.unfinished, progress, where, start=start)
    report = report_of(learner, recipe, samples_of(recipe, "test", TESTED))
    place.save(learner.network, spec_of(recipe, task), report)
    return report


def samples_of(recipe: Recipe, split: Split | str, count: int) -> list[Sample]:
    """Return samples of the task of a network, with the labels that it was taught."""
    known, task = checked_split(split), task_named(recipe.task)
    drawn = [task.draw(known, index) for index in range(count)]
    classes = len(task.class_names)
    return [
        replace(sample, label=label_of(sample, index, recipe, known, classes))
        for index, sample in enumerate(drawn)
    ]


def report_of(learner: Learner, recipe: Recipe, tested: Sequence[Sample]) -> Report:
    """Return what a trained network can do, and by what."""
    task = task_named(recipe.task)
    model = module_handle(learner.network, spec_of(recipe, task))
    found = verdicts(model, tested)
    return Report(
        id=recipe.id,
        digest=recipe.digest,
        accuracy=float(np.mean([verdict.right for verdict in found])),
        count=len(found),
        shares=tuple(shares(found, task.class_names)),
        seconds=round(learner.seconds, 1),
        loss=0.0 if math.isnan(learner.loss) else learner.loss,
        settings=recipe.settings,
        device=torch.device(model.device).type,
        versions={package: version(package) for package in _PACKAGES},
        by_heart=_by_heart(learner, recipe),
    )


def _by_heart(learner: Learner, recipe: Recipe) -> float | None:
    """Return the share of a limited number of training volumes that is predicted right."""
    if recipe.samples is None:
        return None
    model = module_handle(learner.network, spec_of(recipe, task_named(recipe.task)))
    seen = samples_of(recipe, "train", min(recipe.samples, TESTED))
    return float(np.mean([verdict.right for verdict in verdicts(model, seen)]))
