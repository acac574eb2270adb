"""FullGrad against ordinary gradients of a ReLU network, layer by layer; and its completeness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from other_networks import OTHERS
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari import api
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle

FULL = METHODS["full_grad"].function


@pytest.fixture
def model() -> ModelHandle:
    found = OTHERS["resnet"]()
    found.network.double()
    return found


@pytest.fixture
def image(model: ModelHandle) -> Tensor:
    return torch.randn(model.image_shape, generator=torch.Generator().manual_seed(2)).double()


def scaled(channel: Tensor) -> Tensor:
    size = channel.abs() - channel.abs().min()
    return size / size.max() if size.any() else size


def plainly(model: ModelHandle, image: Tensor, target: int, psi: Any) -> tuple[Tensor, float]:
    """The map, and the sum of all parts before ψ; every bias has its own ordinary gradient."""
    biased: list[tuple[Tensor, Tensor]] = []

    def keep(layer: Any, _: Any, out: Tensor) -> Tensor:
        bias = layer.bias
        if isinstance(layer, nn.BatchNorm3d):
            deviation = torch.sqrt(layer.running_var + layer.eps)
            bias = layer.bias - layer.running_mean * layer.weight / deviation
        if bias is None:
            return out
        biased.append((bias, out))
        return out.clone()  # the network goes on in place

    kinds = (nn.Conv3d, nn.BatchNorm3d, nn.Linear)
    hooks = [m.register_forward_hook(keep) for m in model.network.modules() if type(m) in kinds]
    x = image.clone().requires_grad_()
    score = model.network.eval()(x)[0, target]
    for hook in hooks:
        hook.remove()
    gradient, *others = torch.autograd.grad(score, [x, *(out for _, out in biased)])
    parts = [(x * gradient)[0]]
    for (bias, _), g in zip(biased, others, strict=True):
        parts.append(g[0] * bias.reshape(-1, *[1] * (g.ndim - 2)))
    shown = [p for p in parts if p.ndim == 4]
    assert len(shown) > 5
    total = torch.zeros(image.shape[2:], dtype=torch.float64)
    for channel in (c for part in shown for c in part):
        total += F.interpolate(psi(channel)[None, None], tuple(total.shape), mode="trilinear")[0, 0]
    return total.detach(), sum(p.sum().item() for p in parts)


@pytest.mark.parametrize(("scaling", "psi"), [("channel", scaled), ("none", torch.abs)])
def test_values_follow_the_formula(
    model: ModelHandle, image: Tensor, scaling: Any, psi: Any
) -> None:
    maps = FULL(model.forward(image), (0, 2), scaling=scaling)
    for row, target in enumerate((0, 2)):
        wanted, _ = plainly(model, image, target, psi)
        np.testing.assert_allclose(maps.values[row], wanted.numpy(), rtol=0, atol=1e-10)
    assert not np.allclose(maps.values[0], maps.values[1])


def test_voxels_and_biases_add_up_to_the_logit(model: ModelHandle, image: Tensor) -> None:
    told = FULL(model.forward(image), (1,)).figures[0]
    logit = model.logits(image)[0, 1].item()
    assert plainly(model, image, 1, scaled)[1] == pytest.approx(logit, abs=1e-12)
    assert told["score"] == pytest.approx(logit, abs=1e-12)
    assert told["inputs"] + told["biases"] == pytest.approx(logit, abs=1e-12)
    assert told["completeness_error"] < 1e-12
    assert abs(told["biases"]) > 1e-2


def test_a_channel_without_gradient_is_no_nan(model: ModelHandle, image: Tensor) -> None:
    with torch.no_grad():
        model.network.bn1.bias[0] = model.network.bn1.running_mean[0] = 0
    assert np.isfinite(FULL(model.forward(image), (1,)).values).all()


def test_a_transformer_is_told_why_not() -> None:
    reason = api.why_not("full_grad", OTHERS["swin"]())
    assert reason is not None
    assert "attention needs rules of its own" in reason
