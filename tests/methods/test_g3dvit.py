"""G3D-ViT against the published procedure, done once more: slow, plain, whole graph, hooks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.threshold import apply_cut, cut_value, scaled, status_of
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle

POOLINGS = {
    "mean": lambda g: g.mean(dim=-1),
    "max": lambda g: g.max(dim=-1).values,
    "abs_mean": lambda g: g.abs().mean(dim=-1),
    "relu_mean": lambda g: torch.relu(g).mean(dim=-1),
}


def published_tokens(
    model: ModelHandle, image: Tensor, target: int, pooling: str, block: int = -1
) -> Tensor:
    """Raw values of all tokens: forward hook, backward hook, one backward pass of everything."""
    network: Any = model.network
    stored: dict[str, Tensor] = {}
    layer = network.transformer.layers[block][0].norm
    hooks = [
        layer.register_forward_hook(lambda _m, _i, out: stored.update(a=out.detach())),
        layer.register_full_backward_hook(lambda _m, _i, out: stored.update(g=out[0].detach())),
    ]
    network.zero_grad()
    logits = network(image)
    chosen = torch.zeros_like(logits)
    chosen[0, target] = 1
    logits.backward(gradient=chosen)
    for hook in hooks:
        hook.remove()
    network.zero_grad()
    weights = POOLINGS[pooling](stored["g"])
    return (weights[..., None] * stored["a"]).sum(dim=-1)[0]


def published_volume(model: ModelHandle, tokens: Tensor, keep: float) -> NDArray[np.float64]:
    """ReLU, min-max with its small constant, cut on patches at a percentile, trilinear."""
    network = model.spec.network
    grid = network.token_grid
    patches = tokens[model.prefix_tokens :].reshape(grid)
    patches = torch.relu(patches)
    patches = (patches - patches.min()) / (patches.max() - patches.min() + 1e-8)
    cut = np.percentile(patches.numpy(), 100 - keep)
    patches = torch.where(patches >= cut, patches, 0)
    size = network.image_size
    volume = F.interpolate(patches[None, None], size=size, mode="trilinear", align_corners=False)
    return volume[0, 0].numpy()


def our_volume(model: ModelHandle, values: NDArray[np.float64], keep: float) -> NDArray[np.float64]:
    patches = scaled(values, signed=False)
    patches = apply_cut(patches, cut_value(patches, Threshold("keep", keep)), signed=False)
    volume = torch.from_numpy(patches)[None, None]
    size = model.spec.network.image_size
    return F.interpolate(volume, size=size, mode="trilinear", align_corners=False)[0, 0].numpy()


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("block", [0, -1])
def test_raw_values_equal_the_published_formula(
    build: Any, image: Tensor, kind: str, pooling: str, block: int
) -> None:
    model = build(kind)
    run = model.forward(image)
    maps = METHODS["g3dvit"].function(run, (0, 1, 2, 3), pooling=pooling, block=block)
    assert maps.values.shape == (4, 3, 4, 3)
    for target in range(4):
        wanted = published_tokens(model, image, target, pooling, block)[model.prefix_tokens :]
        np.testing.assert_allclose(maps.values[target].ravel(), wanted.numpy(), rtol=0, atol=1e-10)
        assert abs(maps.values[target]).max() > 1e-4


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
@pytest.mark.parametrize("keep", [5.0, 30.0, 100.0])
@pytest.mark.parametrize("double", [True, False], ids=["float64", "float32"])
def test_the_finished_map_equals_the_published_one(
    build: Any, image: Tensor, kind: str, keep: float, double: bool
) -> None:
    model = build(kind, double=double)
    image = image if double else image.float()
    target = int(model.logits(image).argmax())  # the published code explains the predicted class
    wanted = published_volume(model, published_tokens(model, image, target, "mean"), keep)
    maps = METHODS["g3dvit"].function(model.forward(image), (target,))
    found = our_volume(model, maps.values[0], keep)
    assert wanted.max() > 0.4
    assert np.abs(found - wanted).max() <= 1e-5 * wanted.max()


def test_mean_pooling_equals_captum(build: Any, image: Tensor) -> None:
    captum = pytest.importorskip("captum.attr")
    model = build()
    maps = METHODS["g3dvit"].function(model.forward(image), (2,))
    layer = model.network.transformer.layers[-1][0].norm
    grad_cam = captum.LayerGradCam(model.network, layer)
    found = grad_cam.attribute(image, target=2, attr_dim_summation=False).sum(-1)
    np.testing.assert_allclose(
        maps.values[0].ravel(), found[0, 1:].detach().numpy(), rtol=0, atol=1e-12
    )


def test_magnitudes_bound_values(build: Any, image: Tensor) -> None:
    for pooling in POOLINGS:
        maps = METHODS["g3dvit"].function(build().forward(image), (0, 3), pooling=pooling)
        assert (np.abs(maps.values) <= maps.magnitude * (1 + 1e-12)).all()


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("double", [True, False], ids=["float64", "float32"])
@pytest.mark.parametrize("dim", [48, 600])
def test_norms_of_unit_weight_give_rounding_noise_and_it_is_said(
    build: Any, image: Tensor, kind: str, pooling: str, double: bool, dim: int
) -> None:
    model = build(kind, spread=0.0, double=double, dim=dim)
    maps = METHODS["g3dvit"].function(model.forward(image.float()), (1,), pooling=pooling)
    status, sentence = status_of(maps.values[0], maps.magnitude[0], signed=False)
    assert status in {"rounding noise", "zero"}
    assert sentence
    other = METHODS["hires_cam"].function(model.forward(image.float()), (1,))
    assert status_of(other.values[0], other.magnitude[0])[0] == "ok"


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
@pytest.mark.parametrize("dim", [48, 600])
def test_norms_slightly_moved_by_training_give_a_map(
    build: Any, image: Tensor, kind: str, dim: int
) -> None:
    model = build(kind, spread=0.01, double=False, dim=dim)
    for pooling in POOLINGS:
        maps = METHODS["g3dvit"].function(model.forward(image.float()), (1,), pooling=pooling)
        assert status_of(maps.values[0], maps.magnitude[0])[0] == "ok"


def test_norms_without_weights_are_no_obstacle(build: Any, image: Tensor) -> None:
    model = build()
    for block in model.network.blocks:
        block.attention.norm = nn.LayerNorm(48, elementwise_affine=False).double()
    maps = METHODS["libra_grad"].function(model.forward(image), (1,))
    assert status_of(maps.values[0], maps.magnitude[0])[0] == "ok"
