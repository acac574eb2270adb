"""Every method and network on a device that is not the CPU: all tensors meet on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
import torch
from other_device import PLACE, Away, elsewhere, moved
from other_networks import OTHERS
from test_every_method import POOLS, build, call

from g3dvit_napari import api
from g3dvit_napari.core.types import Volume
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle

BUILDERS: dict[str, Callable[[], ModelHandle]] = {
    **{kind: lambda kind=kind: build(kind) for kind in POOLS},
    **OTHERS,
}
# Fewer passes still: where a tensor lies does not depend on their number.
FEW = {
    "kernel_shap": {"samples": 60, "group": 6},
    "occlusion": {"window": 6},
    "shapley_sampling": {"pairs": 1, "group": 6},
}


@cache
def handle(name: str, *, there: bool, single: bool = False) -> ModelHandle:
    """Double precision, so that rounding in another order is far below any mistake."""
    model = BUILDERS[name]()
    if not single:
        model.network.double()
    if there:
        moved(model.network)
        model.device = PLACE
    return model


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with elsewhere(monkeypatch):
        yield


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.usefixtures("away")
def test_it_gives_the_same_numbers(name: str, method: str) -> None:
    here, there = handle(name, there=False), handle(name, there=True)
    if api.why_not(method, here):
        return
    image = torch.randn(here.image_shape, generator=torch.Generator().manual_seed(4))
    runs = here.forward(image), there.forward(image)
    assert isinstance(runs[1].image, Away)
    expected, found = (call(method, run, (0, 2), **FEW.get(method, {})) for run in runs)
    largest = np.abs(expected.values).max()
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-7 * largest)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", BUILDERS)
def test_a_device_without_float64_is_served(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (handle(name, there=place, single=True) for place in (False, True))
    if api.why_not(method, here):
        return
    image = torch.randn(here.image_shape, generator=torch.Generator().manual_seed(4))
    few = FEW.get(method, {})
    with elsewhere(monkeypatch, single=True):
        expected = call(method, here.forward(image), (0, 2), **few)
        found = call(method, there.forward(image), (0, 2), **few)
    largest = np.abs(expected.values).max()
    # Float32 alone moves maps by Chefer's rules by 7e-4 of their maximum.
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=2e-3 * largest)


def test_a_device_without_float64_is_judged_on(
    tiny_volume: Volume, tiny_model: ModelHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name, entry in api.METRICS.items() if not entry.needs]
    expected = api.evaluate(tiny_volume, tiny_model, ["g3dvit"], metrics=names)
    moved(tiny_model.network)
    tiny_model.device = PLACE
    tiny_model.forget()
    with elsewhere(monkeypatch, single=True):
        found = api.evaluate(tiny_volume, tiny_model, ["g3dvit"], metrics=names)
    for one, other in zip(expected[0].scores, found[0].scores, strict=True):
        assert other.value == pytest.approx(one.value, abs=1e-4, nan_ok=True), one.metric


@pytest.mark.usefixtures("away")
def test_tensors_of_two_devices_do_not_meet() -> None:
    with pytest.raises(RuntimeError, match="two devices"):
        Away(torch.ones(3)) + torch.ones(3)
    with pytest.raises(RuntimeError, match="numpy"):
        Away(torch.ones(3)).numpy()
    assert (Away(torch.ones(3)) + 1).cpu().tolist() == [2, 2, 2]
