"""The five brain tasks, in the order of their difficulty."""

from __future__ import annotations

from functools import partial

from g3dvit_napari.benchmark.brains import blocks, focal, ventricles
from g3dvit_napari.benchmark.brains.head import GRID, INPUT
from g3dvit_napari.benchmark.sample import Draw, Task

_AS_STORED = INPUT.model_copy(update={"intensity": "none"})  # a z-score would hide a gain


def _task(name: str, title: str, classes: tuple[str, ...], draw: Draw, given: bool = False) -> Task:
    return Task(name, title, classes, GRID.shape, _AS_STORED if given else INPUT, draw)


def _focal(task: focal.Focal, title: str) -> Task:
    stored = task.gains is not None
    return _task(task.name, title, focal.CLASSES, partial(focal.draw, task), stored)


BRAINS = {
    task.name: task
    for task in (
        _focal(focal.SITE, "B1: dark ball at one site of the left or right half, or none"),
        _task(
            "brain-ventricles",
            "B2: usual or enlarged ventricles",
            ventricles.CLASSES,
            ventricles.draw,
        ),
        _focal(focal.FREE, "B3: dark ball anywhere in one half, or none, beside bright ones"),
        _focal(focal.CONFOUND, "B4: faint dark ball, and in training a gain that gives it away"),
        _task("brain-blocks", "B5: frames of a series with blocks", blocks.CLASSES, blocks.draw),
    )
}
