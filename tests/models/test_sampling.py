"""Batches and gradients against one image at a time; budgets kept; the network left as found."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from rough_networks import fingerprint
from small_vits import KINDS, build, pictures
from torch import Tensor, nn

from g3dvit_napari.core.errors import Cancelled, MethodError
from g3dvit_napari.core.progress import Ticks
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.objective import Objective
from g3dvit_napari.models.sampling import sampling
from g3dvit_napari.models.sampling.footprint import Footprint
from g3dvit_napari.models.sampling.sampling import graph_bytes, input_gradients, logits_of, scores

OBJECTIVES = [Objective(), Objective("probability"), Objective("contrast", against=1)]
every_kind = pytest.mark.parametrize("kind", KINDS)


def nothing() -> None:
    pass


@every_kind
def test_logits_are_those_of_the_network(kind: str) -> None:
    model, images = build(kind), pictures(3)
    run = model.forward(images[:1])
    torch.testing.assert_close(logits_of(run, images), model.network(images), rtol=0, atol=1e-12)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_scores_in_batches_equal_one_by_one(objective: Objective) -> None:
    model, images = build(), pictures(2 * sampling.LARGEST_BATCH + 3)
    run = model.forward(images[:1], nothing, objective)
    together = scores(run, iter(images), len(images), (3, 0))
    for image, found in zip(images, together, strict=True):
        wanted = objective.scores(model.network(image[None])[0], (3, 0)).detach()
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    assert together.dtype is torch.float64
    assert scores(run, iter(()), 0, (3, 0)).shape == (0, 2)


def test_a_batch_stays_within_the_budget(monkeypatch: Any) -> None:
    model, images, sizes = build(), pictures(40), []
    run = model.forward(images[:1])
    with Footprint(model.network.parameters()) as one:
        scores(run, images[:1], 1, (0,))
    budget = 5 * (one.peak + 2 * images[0].nbytes)
    monkeypatch.setattr(sampling, "BATCH_BYTES", budget)
    monkeypatch.setattr(sampling, "LARGEST_BATCH", 100)
    model.network.blocks[0].register_forward_hook(lambda _m, x, _o: sizes.append(len(x[0])))
    with Footprint(model.network.parameters()) as all_of_them:
        scores(run, images, 40, (0,))
    assert all_of_them.peak <= budget
    assert sizes[0] == 1
    assert set(sizes[1:-1]) == {5}
    assert sum(sizes) == 40


def test_a_budget_below_one_image_still_gets_there(monkeypatch: Any) -> None:
    monkeypatch.setattr(sampling, "BATCH_BYTES", 1)
    model, images = build(), pictures(3)
    found = scores(model.forward(images[:1]), images, 3, (1,))
    assert found.shape == (3, 1)


def test_images_are_made_no_earlier_than_they_are_asked_for() -> None:
    model, images, made, most = build(), pictures(60), [], []
    run = model.forward(images[:1])
    run.tick = lambda: most.append(len(made) - len(most))

    def making() -> Any:
        for image in images:
            made.append(image)
            yield image

    scores(run, making(), 60, (0,))
    assert len(most) == 60
    assert max(most) <= sampling.LARGEST_BATCH


@pytest.mark.parametrize("stop_at", [1, 2, 20])
def test_stopping_between_batches_leaves_the_network_as_found(stop_at: int) -> None:
    model, images, ticks = build(), pictures(60), []
    run = model.forward(images[:1])
    before = fingerprint(model.network.train())

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == stop_at:
            raise Cancelled("stopped by the user")

    run.tick = tick
    with pytest.raises(Cancelled):
        scores(run, images, 60, (0,))
    assert len(ticks) == stop_at
    assert fingerprint(model.network) == before
    assert torch.is_grad_enabled()


def test_progress_knows_how_many_images_come() -> None:
    told: list[float] = []
    model, images = build(), pictures(20)
    run = model.forward(images[:1])
    run.tick = Ticks(lambda fraction, _word: told.append(fraction), 1, "running")
    scores(run, images, 20, (0,))
    assert len(told) == 20
    assert told[9] == pytest.approx(10 / 22)


@every_kind
@pytest.mark.parametrize("budget", [2**30, 0], ids=["one graph", "block by block"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_are_those_of_autograd(
    kind: str, budget: int, objective: Objective, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sampling, "GRAPH_BYTES", budget)
    model, image = build(kind), pictures(1)
    found = input_gradients(model.forward(image, nothing, objective), image, (2, 0))
    leaf = image.clone().requires_grad_()
    numbers = objective.scores(model.network(leaf)[0], (2, 0))
    for number, gradient in zip(numbers, found, strict=True):
        (wanted,) = torch.autograd.grad(number, leaf, retain_graph=True)
        assert wanted.abs().max() > 1e-4
        torch.testing.assert_close(gradient, wanted[0], rtol=0, atol=1e-12)
    assert all(parameter.grad is None for parameter in model.network.parameters())


def test_the_graph_is_as_large_as_foretold_and_block_by_block_it_is_smaller(
    monkeypatch: Any,
) -> None:
    model, image = build(), pictures(1)
    run, network = model.forward(image), model.network
    peaks = {}
    for budget in (2**30, 0):
        monkeypatch.setattr(sampling, "GRAPH_BYTES", budget)
        with Footprint([*network.parameters(), image]) as footprint:
            input_gradients(run, image, (0,))
        peaks[budget] = footprint.peak
    assert 0.5 < graph_bytes(network) / peaks[2**30] < 1.2
    assert peaks[0] < 0.8 * peaks[2**30]


@pytest.mark.parametrize("budget", [2**30, 0])
def test_every_stage_is_expected_and_ticks(budget: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(sampling, "GRAPH_BYTES", budget)
    model, image, told = build(), pictures(1), []
    run = model.forward(image)
    run.tick = Ticks(lambda fraction, _word: told.append(fraction), 1, "running")
    sampling.expect_gradients(run, 2)
    for _ in range(2):
        input_gradients(run, image, (0,))
    assert len(told) == (2 if budget else 8)
    assert told[-1] == pytest.approx(len(told) / (len(told) + 2))


def test_a_network_that_gives_no_gradient_is_said() -> None:
    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(960, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.detach().flatten(1))

    spec = NetworkSpec(
        family="module", image_size=(8, 10, 6), patch=(4, 5, 3), channels=2, classes=4
    )
    device = torch.device("cpu")
    model = ModelHandle(Deaf().double(), ModelSpec(network=spec), device, tuple("abcd"))
    run = model.forward(pictures(1))
    with pytest.raises(MethodError, match="no gradient comes back"):
        input_gradients(run, pictures(1), (0,))
    assert scores(run, pictures(2), 2, (0,)).shape == (2, 1)
