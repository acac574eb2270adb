"""A graphics card gives the CPU's numbers, whatever precision the process has asked for."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from coarse_arithmetic import coarse_arithmetic
from numpy.typing import NDArray
from test_another_device import BUILDERS, FEW
from test_every_method import call
from torch import Tensor

import g3dvit_napari as g3d
from g3dvit_napari import api
from g3dvit_napari.core.types import Volume
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.running import with_pass

GPU = "cuda"
CLOSE = 1e-4
if not torch.cuda.is_available():
    pytest.skip("needs a CUDA GPU", allow_module_level=True)


def maps_of(method: str, model: ModelHandle) -> NDArray[np.float64]:
    """Return the maps of two classes of one picture."""
    image = torch.randn(model.image_shape, generator=torch.Generator().manual_seed(4))
    settings = FEW.get(method, {})
    with coarse_arithmetic():
        maps = with_pass(
            model, image[0].numpy(), None, lambda run: call(method, run, (0, 2), **settings)
        )
    return maps.values


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", BUILDERS)
def test_it_gives_the_same_numbers(name: str, method: str) -> None:
    model = BUILDERS[name]()
    if api.why_not(method, model):
        return
    here = maps_of(method, model)
    finer = BUILDERS[name]()
    finer.network.double()
    exact = maps_of(method, finer)
    there = maps_of(method, model.to(GPU))
    assert model.device.type == GPU
    largest = np.abs(exact).max()
    # Chefer's relevance divides by sums near zero: float32 alone moves it by 7e-4 of its maximum.
    rounding = np.abs(here - exact).max() / largest
    np.testing.assert_allclose(there, here, rtol=0, atol=max(CLOSE, 3 * rounding) * largest)


def test_judgements_are_the_same(tiny_volume: Volume, tiny_model: ModelHandle) -> None:
    metrics = ["deletion", "insertion", "sparseness", "model_randomisation"]
    here, there = (
        api.evaluate(tiny_volume, model, ["g3dvit", "libra_grad"], 1, metrics=metrics)
        for model in (tiny_model, deepcopy(tiny_model).to(GPU))
    )
    for one, other in zip(here, there, strict=True):
        for score, again in zip(one.scores, other.scores, strict=True):
            assert again.value == pytest.approx(score.value, abs=CLOSE), score.metric


def fill(taken: list[Tensor]) -> None:
    """Take all that the allocator has in store."""
    while True:
        taken.append(torch.empty(128, device=GPU))


def test_a_card_that_is_full_leaves_the_work_to_the_cpu(
    tiny_volume: Volume, tiny_model: ModelHandle
) -> None:
    expected = g3d.explain(tiny_volume, tiny_model)
    model = tiny_model.to(GPU)
    torch.cuda.set_per_process_memory_fraction(1e-6)
    taken: list[Tensor] = []
    try:
        with pytest.raises(torch.cuda.OutOfMemoryError):
            fill(taken)
        found = g3d.explain(tiny_volume, model)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "has too little memory" in found.warnings[-1]
    np.testing.assert_allclose(found.relevance.data, expected.relevance.data, atol=CLOSE)
