"""The grid of cube tasks: how many cells, what they are called, which cannot be learned."""

from collections import Counter
from dataclasses import replace

import pytest

from g3dvit_napari.benchmark.cubes.cell import Cell, cell_named
from g3dvit_napari.benchmark.cubes.expectation import hopeless
from g3dvit_napari.benchmark.cubes.grid import beside, published, quick
from g3dvit_napari.benchmark.cubes.places import shared
from g3dvit_napari.benchmark.tasks import task_named
from g3dvit_napari.core.errors import MethodError

EVERY = [*published(), *quick(), *beside(Cell(24, 6, 4))]


def test_the_published_grid_has_288_cells():
    cells = list(published())
    assert len(cells) == len(set(cells)) == 288
    assert Counter(cell.grid for cell in cells) == {35: 96, 40: 96, 42: 96}
    assert len({(c.grid, c.cube, c.patch) for c in cells}) == 12


def test_a_name_decides_a_cell():
    assert len({cell.name for cell in EVERY}) == len(set(EVERY))
    for cell in EVERY:
        assert cell_named(cell.name) == cell


def test_all_options_survive_their_name():
    cell = Cell(20, 4, 5, -0.5, "free", "texture", "plain", 0.25, True, True, "mean")
    assert cell_named(cell.name) == cell
    assert cell.name == "cubes-20-4-5--0.5-free-texture-plain-noise0.25-smooth-distractor-mean"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"patch": 7}, "patch 7 does not divide the grid 24"),
        ({"cube": 5}, "cube 5 does not divide"),
        ({"question": "colour"}, "question is 'colour'"),
        ({"noise": -1.0}, "must not be negative"),
        ({"smooth": True}, "smooth noise of deviation 0"),
    ],
)
def test_impossible_cells_are_refused(wrong, words):
    with pytest.raises(MethodError, match=words):
        replace(Cell(24, 6, 4), **wrong)


@pytest.mark.parametrize("name", ["cubes-24-6", "cubes-24-6-4-0.2-aligned-position", "brain-knee"])
def test_unknown_tasks_are_refused(name):
    with pytest.raises(MethodError, match=r"no (cube )?task named"):
        task_named(name)


def test_classes_are_the_places_or_the_contents():
    assert len(Cell(40, 8, 5).class_names) == 125
    assert Cell(24, 6, 4).class_names[1] == "cube at 0 0 1"
    assert Cell(24, 6, 4, question="triple").class_names[0] == "no cube"


def test_patches_that_divide_aligned_cubes_are_hopeless():
    """Six sizes, six backgrounds, two questions; and contents before a bright background."""
    reasons = [hopeless(cell) for cell in published()]
    assert sum("divide the cube" in (r or "") for r in reasons) == 72
    assert sum("same direction" in (r or "") for r in reasons) == 18
    assert hopeless(Cell(24, 6, 3)) is not None
    assert hopeless(Cell(24, 6, 4)) is None


@pytest.mark.parametrize(
    "change",
    [{"embedding": "plain"}, {"noise": 0.25}, {"places": "free"}, {"question": "texture"}],
)
def test_whatever_makes_patches_uneven_gives_hope(change):
    assert hopeless(Cell(24, 6, 6)) is not None
    assert hopeless(replace(Cell(24, 6, 6), **change)) is None


def test_only_aligned_positions_are_shared_between_splits():
    assert "memory" in (shared(Cell(24, 6, 4)) or "")
    assert "noise alone" in (shared(Cell(24, 6, 4, noise=0.5)) or "")
    assert shared(Cell(24, 6, 4, places="free")) is None
    assert shared(Cell(24, 6, 4, question="content")) is None
