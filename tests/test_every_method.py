"""The contract: what holds for every file in the folder of methods, today's and tomorrow's."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from coarse_arithmetic import Watch, coarse_arithmetic, settings
from rough_networks import fingerprint, roughen
from torch import Tensor

from g3dvit_napari.core.errors import Cancelled, MethodError
from g3dvit_napari.core.registry import Entry
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.core.threshold import scaled, status_of
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D
from g3dvit_napari.models.offers import LACKING
from g3dvit_napari.models.running import with_pass

GRID = (3, 4, 2)
POOLS = {
    "class token": ("vit_3d", "cls", 1),
    "mean": ("vit_3d", "mean", 1),
    "simple": ("simple_vit_3d", "mean", 0),
}
# Settings under which methods of many passes are quick; what they promise does not depend on them.
QUICK: dict[str, dict[str, Any]] = {
    "gradient_shap": {"samples": 3},
    "integrated_gradients": {"steps": 3},
    "kernel_shap": {"samples": 256, "group": 3},
    "occlusion": {"window": 3},
    "shapley_sampling": {"pairs": 2, "group": 3},
    "smooth_grad": {"samples": 3},
    "token_removal": {"masks": 4},
}


def build(kind: str) -> ModelHandle:
    family, pool, prefix = POOLS[kind]
    spec = NetworkSpec(
        family=family, pool=pool, prefix_tokens=prefix, image_size=(12, 20, 6), patch=(4, 5, 3),
        channels=1, classes=3, dim=32, depth=2, heads=2, dim_head=8, mlp_dim=24,
        patch_order="legacy",
    )  # fmt: skip
    simple = kind == "simple"
    torch.manual_seed(5)
    network = ViT3D(spec, Layout(final_norm=simple, head_norm=not simple))
    roughen(network)
    return ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), ("a", "b", "c"))


OFFERS = {kind: build(kind).offers for kind in POOLS}
PAIRS = [(m, kind) for kind in POOLS for m in METHODS if METHODS[m].needs <= OFFERS[kind]]
KIND_FOR = dict(reversed(PAIRS))  # the first network that each method can explain, if any
every_method = pytest.mark.parametrize("method", METHODS)
every_served = pytest.mark.parametrize("method", KIND_FOR)
every_pair = pytest.mark.parametrize(("method", "kind"), PAIRS)


def picture(seed: int = 4) -> Tensor:
    return torch.randn(1, 1, 12, 20, 6, generator=torch.Generator().manual_seed(seed))


def call(method: str, asked: Any, targets: tuple[int, ...], **options: Any) -> TokenMaps:
    return METHODS[method].function(asked, targets, **QUICK.get(method, {}) | options)


def run(method: str, model: ModelHandle, targets: tuple[int, ...], **options: Any) -> TokenMaps:
    maps = call(method, model.forward(picture()), targets, **options)
    assert isinstance(maps, TokenMaps)
    return maps


def test_the_four_methods_are_there() -> None:
    assert {"g3dvit", "grad_cam", "hires_cam", "libra_grad"} <= set(METHODS)


@every_method
def test_it_says_what_it_is(method: str) -> None:
    entry: Entry = METHODS[method]
    text = inspect.getdoc(entry.function) or ""
    assert entry.name == method == entry.function.__module__.rpartition(".")[2]
    assert entry.summary.endswith(".")
    assert entry.title
    assert entry.reference
    assert "r_n = " in text  # the equation
    assert all(parameter.help for parameter in entry.parameters)
    assert entry.needs <= set(LACKING)


@every_pair
def test_maps_are_finite_on_the_patch_grid_and_mean_something(method: str, kind: str) -> None:
    maps = run(method, build(kind), (0, 2))
    for array in (maps.values, maps.magnitude):
        assert array.shape == (2, *(maps.cells.shape if maps.cells else GRID))
        assert array.dtype == np.float64
        assert np.isfinite(array).all()
    assert (np.abs(maps.values) <= maps.magnitude * (1 + 1e-6)).all()
    for values, magnitude in zip(maps.values, maps.magnitude, strict=True):
        assert status_of(values, magnitude) == ("ok", "")
        shown = scaled(values, signed=METHODS[method].signed)
        assert -1 <= shown.min() <= shown.max() <= 1
        assert METHODS[method].signed or shown.min() >= 0


@every_pair
def test_it_is_repeatable(method: str, kind: str) -> None:
    model = build(kind)
    first = run(method, model, (1,))
    model.forget()
    assert np.array_equal(first.values, run(method, model, (1,)).values)
    assert np.array_equal(first.values, run(method, build(kind), (1,)).values)


@every_pair
def test_several_classes_equal_one_by_one_and_class_0_is_a_class(method: str, kind: str) -> None:
    model = build(kind)
    together = run(method, model, (2, 0, 1))
    for row, target in enumerate((2, 0, 1)):
        alone = run(method, build(kind), (target,))
        largest = np.abs(alone.values).max()
        np.testing.assert_allclose(together.values[row], alone.values[0], atol=1e-6 * largest)
    if METHODS[method].class_specific:
        assert not np.allclose(together.values[1], together.values[2])


@every_pair
def test_another_image_gives_another_map(method: str, kind: str) -> None:
    model = build(kind)
    one = run(method, model, (1,)).values
    other = call(method, model.forward(picture(9)), (1,)).values
    assert not np.allclose(one, other)


@every_pair
def test_the_network_is_left_as_found(method: str, kind: str) -> None:
    model = build(kind)
    model.network.train()
    next(model.network.parameters()).requires_grad_(False)
    before = fingerprint(model.network)
    weights = [p.clone() for p in model.network.parameters()]
    run(method, model, (0, 1))
    assert fingerprint(model.network) == before
    assert all(torch.equal(a, b) for a, b in zip(weights, model.network.parameters(), strict=True))


@every_pair
@pytest.mark.parametrize("stop_at", [1, 2])
def test_stopping_it_leaves_the_network_as_found(method: str, kind: str, stop_at: int) -> None:
    model, ticks = build(kind), []
    before = fingerprint(model.network.train())

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == stop_at:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        call(method, model.forward(picture(), tick), (0,))
    assert fingerprint(model.network) == before
    assert np.array_equal(run(method, model, (0,)).values, run(method, build(kind), (0,)).values)


@every_pair
def test_an_error_on_the_way_leaves_the_network_as_found(method: str, kind: str) -> None:
    model = build(kind)
    norm = model.network.blocks[-1].attention.norm
    hook = norm.register_forward_hook(lambda *_: 1 / 0)
    before = fingerprint(model.network.train())
    with pytest.raises(ZeroDivisionError):
        call(method, model.forward(picture()), (0,))
    assert fingerprint(model.network) == before
    hook.remove()
    assert np.isfinite(run(method, model, (0,)).values).all()


@every_pair
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_callers_without_gradients_are_welcome(method: str, kind: str, mode: Any) -> None:
    wanted = run(method, build(kind), (1,))
    model = build(kind)
    with mode():
        inside = run(method, model, (1,))
    assert np.array_equal(inside.values, wanted.values)
    assert np.array_equal(run(method, model, (1,)).values, wanted.values)  # the same pass, outside


@every_served
def test_a_class_that_does_not_exist_is_refused(method: str) -> None:
    with pytest.raises(MethodError, match="class 3"):
        run(method, build(KIND_FOR[method]), (3,))


@every_served
def test_a_volume_that_is_not_finite_is_said(method: str) -> None:
    image = picture()
    image[0, 0, 3, 3, 3] = float("nan")
    maps = call(method, build(KIND_FOR[method]).forward(image), (0,))
    assert status_of(maps.values[0], maps.magnitude[0])[0] == "not finite"


@every_pair
def test_a_constant_volume_is_no_error(method: str, kind: str) -> None:
    maps = call(method, build(kind).forward(torch.zeros(1, 1, 12, 20, 6)), (0,))
    assert np.isfinite(maps.values).all()


@every_pair
def test_products_are_exact_whatever_the_process_has_asked_for(method: str, kind: str) -> None:
    image = picture()[0].numpy()
    with coarse_arithmetic(), Watch() as watch:
        with_pass(build(kind), image, None, lambda found: call(method, found, (0, 2)))
        assert settings() == ("medium", True)
    assert watch.seen
    assert not watch.coarse
