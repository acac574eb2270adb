"""What a layer norm on raw patches hides: identities of the architecture, not findings on maps.

If these fail, the network or the generator has changed, and every number of the benchmark with it.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.benchmark.cubes.drawing import draw
from g3dvit_napari.benchmark.cubes.expectation import hopeless
from g3dvit_napari.benchmark.tasks import task_named
from g3dvit_napari.benchmark.training.networks import fresh
from g3dvit_napari.benchmark.training.recipe import Recipe, ViT

ALIGNED = [Cell(40, 8, 8), Cell(40, 8, 4), Cell(35, 5, 5), Cell(24, 6, 6)]


def network_of(cell):
    vit = ViT((cell.patch,) * 3, embedding=cell.embedding)
    return fresh(Recipe("any", cell.name, vit, 1, 1, 1.0), task_named(cell.name)).eval()


def logits(network, volumes):
    with torch.no_grad():
        return network(torch.from_numpy(np.stack(volumes))[:, None]).double().numpy()


def spread(found):
    return float(np.abs(found - found[0]).max())


def volumes_of(cell):
    drawn = [draw(cell, "train", i) for i in range(3)]
    return [s.data for s in drawn] + [drawn[0].twin]


@pytest.mark.parametrize("cell", ALIGNED, ids=lambda cell: cell.name)
def test_patches_that_divide_the_cube_see_nothing_at_all(cell):
    """All places, both contents and the empty volume: bit-identical logits."""
    network = network_of(cell)
    content = replace(cell, question="content")
    images = volumes_of(cell) + volumes_of(content)
    assert len({image.tobytes() for image in images}) > 4
    assert spread(logits(network, images)) == 0.0
    assert hopeless(cell) is not None
    assert hopeless(content) is not None


@pytest.mark.parametrize("change", [{"embedding": "plain"}, {"patch": 5}, {"places": "free"}])
def test_they_see_it_again_once_patches_are_uneven(change):
    cell = replace(Cell(40, 8, 8), **change)
    assert spread(logits(network_of(cell), volumes_of(cell))) > 1e-3
    assert hopeless(cell) is None


def test_the_value_of_the_background_is_not_seen():
    cell = Cell(40, 8, 5)
    network, volume = network_of(cell), draw(cell, "train", 0)
    others = [np.where(volume.signal, 1, b).astype(np.float32) for b in (0, 0.2, 0.5, 0.8, 0.9)]
    assert spread(logits(network, others)) < 2e-3
    other_place = volumes_of(cell)
    assert spread(logits(network, other_place)) > 10 * spread(logits(network, others))


def test_the_value_of_the_cube_is_not_seen():
    cell = Cell(40, 8, 5, background=0.0)
    network, volume = network_of(cell), draw(cell, "train", 0)
    found = [np.where(volume.signal, v, 0).astype(np.float32) for v in (1, 5, 100)]
    assert spread(logits(network, found)) < 1e-4


def test_before_a_bright_background_both_contents_look_equal():
    cell = Cell(40, 8, 5, background=2.0, question="content")
    network, volume = network_of(cell), draw(cell, "train", 0)
    both = [np.where(volume.signal, v, 2.0).astype(np.float32) for v in (-1, 1)]
    assert spread(logits(network, both)) < 1e-4
    darker = [np.where(volume.signal, v, 0.2).astype(np.float32) for v in (-1, 1)]
    assert spread(logits(network, darker)) > 20 * spread(logits(network, both))
    assert hopeless(cell) is not None
