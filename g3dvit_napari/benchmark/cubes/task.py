"""A cell as a task: the question, and how volumes of it reach a network."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.benchmark.cubes.drawing import draw
from g3dvit_napari.benchmark.cubes.expectation import hopeless
from g3dvit_napari.benchmark.cubes.places import shared
from g3dvit_napari.benchmark.sample import Sample, Split, Task
from g3dvit_napari.core.spec import InputSpec

INPUT = InputSpec(
    orientation="RAS",
    fit="crop-pad",
    crop_start=(0, 0, 0),
    intensity="none",
    tensor_axes="xyz",
)


def _draw_at(cell: Cell, difficulty: float, split: Split, index: int) -> Sample:
    """Return a sample with that share of the noise."""
    noise = cell.noise * difficulty
    return draw(replace(cell, noise=noise, smooth=cell.smooth and noise > 0), split, index)


def task_of(cell: Cell) -> Task:
    """Return the task of a cell."""
    return Task(
        name=cell.name,
        title=f"{cell.question} of a cube of {cell.cube}³ in {cell.grid}³, {cell.places}",
        class_names=cell.class_names,
        shape=(cell.grid, cell.grid, cell.grid),
        input=INPUT,
        draw=partial(draw, cell),
        draw_at=partial(_draw_at, cell) if cell.noise else None,
        shared=shared(cell),
        hopeless=hopeless(cell),
    )
