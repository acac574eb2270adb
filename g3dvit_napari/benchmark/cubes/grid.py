"""The grid of cube tasks: the 288 cells of the published study, and those beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import get_args

from g3dvit_napari.benchmark.cubes.cell import Cell, Places

SIZES = {35: (5, 7), 40: (5, 8), 42: (6, 7)}  # grid: edges of cube and of patch
BACKGROUNDS = (0.0, 0.2, 0.5, 0.8, 0.9, 2.0)
QUICK = ((24, 6, 4), (20, 4, 5))  # sizes for tests: patch below and above the cube
NOISES = (0.0, 0.25, 0.5, 1.0)


def published() -> Iterator[Cell]:
    """Yield the 288 cells: sizes, backgrounds, aligned or free, position or content."""
    sizes = [(grid, *pair) for grid, edges in SIZES.items() for pair in product(edges, repeat=2)]
    for (grid, cube, patch), background in product(sizes, BACKGROUNDS):
        for places in get_args(Places):
            yield Cell(grid, cube, patch, background, places)
            yield Cell(grid, cube, patch, background, places, "content")


def quick() -> Iterator[Cell]:
    """Yield the same tasks in sizes for tests, with one background."""
    for (grid, cube, patch), places in product(QUICK, get_args(Places)):
        yield Cell(grid, cube, patch, places=places)
        yield Cell(grid, cube, patch, places=places, question="content")


def beside(cell: Cell) -> Iterator[Cell]:
    """Yield what the published study does not vary, around one of its cells."""
    yield replace(cell, embedding="plain")
    for noise, smooth in product(NOISES[1:], (False, True)):
        yield replace(cell, noise=noise, smooth=smooth)
    yield replace(cell, distractor=True)
    yield replace(cell, pool="mean")
    yield replace(cell, question="triple")
    yield replace(cell, question="texture")
    yield replace(cell, question="xor")
