"""Every task by its name: the cells of the cubes and the five of the brain."""

from __future__ import annotations

from functools import lru_cache

from g3dvit_napari.benchmark.brains.task import BRAINS
from g3dvit_napari.benchmark.cubes.cell import Cell, cell_named
from g3dvit_napari.benchmark.cubes.task import task_of
from g3dvit_napari.benchmark.sample import Task
from g3dvit_napari.core.errors import MethodError, unknown_name


def task_named(name: str | Cell) -> Task:
    """Return the task of a name, such as "brain-site" or the name of a cell; or of a cell.

    Raises
    ------
    MethodError
        When there is no such task.
    """
    return task_of(name) if isinstance(name, Cell) else _named(name)


@lru_cache(maxsize=512)
def _named(name: str) -> Task:
    if name in BRAINS:
        return BRAINS[name]
    if name.startswith("cubes-"):
        return task_of(cell_named(name))
    example = Cell(24, 6, 4).name
    raise MethodError(unknown_name("task", name, [*BRAINS, f"a cell such as {example}"]))
