"""The gate knows networks that use the signal from those that answer by default."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from g3dvit_napari import benchmark
from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.benchmark.cubes.drawing import draw
from g3dvit_napari.benchmark.gate import Verdict, shares, verdicts
from g3dvit_napari.benchmark.tasks import task_named
from g3dvit_napari.benchmark.training.networks import spec_of
from g3dvit_napari.benchmark.training.recipe import Recipe, ViT
from g3dvit_napari.models.handle import ModelHandle

CELL = Cell(24, 6, 4, places="free", question="content", noise=0.25, background=0.0)


class _Cubes(nn.Module):
    """Knows the brightest and the darkest cube; `signs` is what it makes of them."""

    def __init__(self, signs):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(signs))

    def forward(self, image):
        means = nn.functional.avg_pool3d(image, 6, stride=1).flatten(1)
        both = torch.stack([-means.amin(1) - 0.5, means.amax(1) - 0.5], dim=1)
        return both @ self.weight.T * 10


def handle_of(signs, cell=CELL):
    recipe = Recipe("any", cell.name, ViT((4, 4, 4)), 1, 1, 1.0)
    spec = spec_of(recipe, task_named(cell.name))
    return ModelHandle(_Cubes(signs), spec, torch.device("cpu"), cell.class_names)


def some(cell=CELL, count=24):
    return [draw(cell, "test", i) for i in range(count)]


def test_a_network_that_reads_both_contents_passes_for_both():
    found = verdicts(handle_of([[1.0, 0.0], [0.0, 1.0]]), some())
    for share in shares(found, CELL.class_names):
        assert share.asked == share.count > 5
        assert (share.right, share.valid, share.sufficient) == (1, 1, 1)


def test_a_network_that_answers_by_default_fails_for_that_class():
    """It sees +1 and calls everything else -1: right every time, and blind to cubes of -1."""
    found = verdicts(handle_of([[0.0, 0.0], [0.0, 1.0]]), some())
    minus, plus = shares(found, CELL.class_names)
    assert minus.right == plus.right == 1
    assert (minus.valid, plus.valid) == (0, 1)


def test_twins_tell_it_as_the_definition_says():
    model, sample = handle_of([[1.0, 0.0], [0.0, 1.0]]), some()[0]
    (found,) = verdicts(model, [sample])
    both = np.stack([sample.data, sample.twin])[:, None]
    logits = model.network(torch.from_numpy(both)).detach().double()
    chance = logits.softmax(dim=1)
    assert found.rise == pytest.approx(float(logits[0, sample.label] - logits[1, sample.label]))
    assert found.fall == pytest.approx(float(chance[0, sample.label] - chance[1, sample.label]))


def test_nothing_can_be_asked_where_there_is_no_signal():
    cell = replace(CELL, question="triple")
    samples = [s for s in some(cell, 12) if s.label == 0]
    found = verdicts(handle_of([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], cell), samples)
    nothing, *others = shares(found, cell.class_names)
    assert nothing.count == len(samples) > 0
    assert (nothing.asked, nothing.valid, nothing.sufficient) == (0, None, None)
    assert not any(verdict.valid for verdict in found)
    assert [share.right for share in others] == [None, None]


VERDICT = Verdict(label=1, predicted=1, twin_predicted=1, pasted=1, rise=1.5, fall=0.5, signal=True)


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"rise": 0.9}, False),
        ({"fall": 0.1}, False),
        ({"fall": 0.1, "twin_predicted": 0}, True),
        ({"signal": False}, False),
    ],
)
def test_both_conditions_count(change, valid):
    assert replace(VERDICT, **change).valid == valid


def test_a_global_cue_is_not_sufficient_in_one_place():
    assert not replace(VERDICT, pasted=0).sufficient
    assert VERDICT.sufficient


def test_the_facade_gives_both():
    model, samples = handle_of([[1.0, 0.0], [0.0, 1.0]]), some(count=4)
    found, per_class = benchmark.validity(model, samples)
    assert len(found) == 4
    assert [share.class_name for share in per_class] == list(CELL.class_names)
