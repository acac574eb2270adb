"""LRP against the paper's formulas, contribution by contribution, every layer as a matrix."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from other_networks import OTHERS, made
from torch import Tensor, nn

from g3dvit_napari import api
from g3dvit_napari.core.spec import NetworkSpec
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle

Array = NDArray[np.float64]
LRP = METHODS["lrp"].function
SIZE = (6, 4, 4)
RULES: dict[str, dict[str, float]] = {
    "epsilon": {"epsilon": 0.05},
    "gamma": {"gamma": 0.3},
    "z_plus": {},
    "alpha_beta": {"alpha": 1.7},
}


class Residual(nn.Module):
    """Batch norms, a residual, everything in place that can be."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv3d(1, 3, 3, padding=1), nn.BatchNorm3d(3)
        self.pool = nn.MaxPool3d(2)
        self.conv2 = nn.Conv3d(3, 3, 3, padding=1, bias=False)
        self.bn2, self.act = nn.BatchNorm3d(3), nn.ReLU(inplace=True)
        self.fc = nn.Linear(3, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool(self.act(self.bn1(self.conv1(image))))
        out = self.bn2(self.conv2(x))
        out += x
        return self.fc(self.act(out).mean((2, 3, 4)))


@pytest.fixture
def model() -> ModelHandle:
    spec = NetworkSpec(
        family="module", image_size=SIZE, patch=(2, 2, 2), channels=1, classes=3, prefix_tokens=0
    )
    found = made(Residual(), spec)
    with torch.no_grad():
        for norm in (found.network.bn1, found.network.bn2):
            norm.weight[1] *= -1  # merged, the sign of a weight changes
    found.network.double()
    return found


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 1, *SIZE, generator=torch.Generator().manual_seed(2)).double()


def as_matrix(conv: Any, norm: Any, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """A convolution and its batch norm as one matrix and one bias, from what they do to ones."""
    with torch.no_grad():
        basis = torch.eye(int(np.prod(shape))).double().reshape(-1, *shape)
        layer = nn.Sequential(conv, norm)
        bias = layer(torch.zeros(1, *shape).double())
        return (layer(basis) - bias).flatten(1).numpy(), bias.flatten().numpy()


def handed_back(
    x: Array, weight: Array, bias: Array, relevance: Array, rule: str, amount: float
) -> Array:
    """R_i = Σ_j ..., by loops over outputs; `weight` is (inputs, outputs)."""
    found = np.zeros_like(x)
    for j, share in enumerate(relevance):
        z, b = x * weight[:, j], bias[j]
        total = z.sum() + b
        up, down = z.clip(min=0), z.clip(max=0)
        if rule == "epsilon":
            found += z / (total + amount * (1 if total >= 0 else -1)) * share
        elif rule == "gamma":
            same = z + amount * (up if total > 0 else down)
            of_bias = b + amount * (max(b, 0) if total > 0 else min(b, 0))
            found += same / (same.sum() + of_bias) * share
        elif rule == "z_plus" and up.any():
            found += up / up.sum() * share
        elif rule == "alpha_beta":
            plus, minus = up.sum() + max(b, 0), down.sum() + min(b, 0)
            found += amount * up / plus * share if plus else 0
            found += (1 - amount) * down / minus * share if minus else 0
    return found


def by_loops(network: Any, image: Tensor, target: int, rule: str, amount: float) -> Array:
    with torch.no_grad():
        first = network.bn1(network.conv1(image)).relu()
        pooled, where = torch.nn.functional.max_pool3d(first, 2, return_indices=True)
        inner = network.bn2(network.conv2(pooled))
        last = (inner + pooled).relu()
        mean = last.mean((2, 3, 4))[0].numpy()
        logit = network.fc(last.mean((2, 3, 4)))[0, target].item()
    head = network.fc.weight.detach().numpy()[[target]].T
    offset = network.fc.bias.detach().numpy()[[target]]
    epsilon = amount if rule == "epsilon" else 1e-6
    relevance = handed_back(mean, head, offset, np.array([logit]), "epsilon", epsilon)
    values = last.numpy().reshape(3, -1)
    spread = values / values.sum(1, keepdims=True).clip(min=1e-300) * relevance[:, None]
    total = (inner + pooled).numpy().ravel()
    through, past = (part.numpy().ravel() / total * spread.ravel() for part in (inner, pooled))
    weights, bias = as_matrix(network.conv2, network.bn2, (3, 3, 2, 2))
    at_pool = past + handed_back(pooled.numpy().ravel(), weights, bias, through, rule, amount)
    at_first = np.zeros((3, int(np.prod(SIZE))))
    for channel, place in enumerate(where.numpy().reshape(3, -1)):
        at_first[channel, place] += at_pool.reshape(3, -1)[channel]
    weights, bias = as_matrix(network.conv1, network.bn1, (1, *SIZE))
    return handed_back(image.numpy().ravel(), weights, bias, at_first.ravel(), rule, amount)


@pytest.mark.parametrize("rule", RULES)
def test_values_follow_the_paper(model: ModelHandle, image: Tensor, rule: Any) -> None:
    maps = LRP(model.forward(image), (0, 2), rule=rule, **RULES[rule])
    amount = next(iter(RULES[rule].values()), 0.0)
    for row, target in enumerate((0, 2)):
        wanted = by_loops(model.network, image, target, rule, amount)
        assert np.abs(wanted).max() > 1e-4
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-10)


def test_gamma_and_epsilon_at_zero_are_input_times_gradient(
    model: ModelHandle, image: Tensor
) -> None:
    x = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.network(x)[0, 1], x)
    plain = (image * gradient)[0, 0].numpy()
    for options in ({"rule": "gamma", "gamma": 0.0}, {"rule": "epsilon"}):
        maps = LRP(model.forward(image), (1,), epsilon=0.0, **options)
        np.testing.assert_allclose(maps.values[0], plain, rtol=0, atol=1e-12)
        assert maps.figures[0]["completeness_error"] < 1e-12
    near = LRP(model.forward(image), (1,), rule="epsilon", epsilon=1e-9).values[0]
    np.testing.assert_allclose(near, plain, rtol=0, atol=1e-6)
    far = LRP(model.forward(image), (1,), rule="epsilon", epsilon=1.0)
    assert np.abs(far.values[0]).sum() < 0.9 * np.abs(plain).sum()
    assert far.figures[0]["completeness_error"] > 1e-2  # what ε absorbs is reported


@pytest.mark.parametrize(
    ("rule", "alpha"), [("gamma", 2.0), ("alpha_beta", 1.0), ("alpha_beta", 2.0)]
)
def test_voxels_and_biases_share_the_logit_exactly(
    model: ModelHandle, image: Tensor, rule: Any, alpha: float
) -> None:
    told = LRP(model.forward(image), (1,), rule=rule, alpha=alpha, epsilon=0.0).figures[0]
    assert told["explained"] + told["biases"] == pytest.approx(told["score"], abs=1e-10)
    assert told["completeness_error"] < 1e-10


def test_z_plus_keeps_all_of_it_but_the_last_layers_bias(model: ModelHandle, image: Tensor) -> None:
    told = LRP(model.forward(image), (1,), rule="z_plus", epsilon=0.0).figures[0]
    assert told["biases"] == pytest.approx(model.network.fc.bias[1].item(), abs=1e-12)
    assert told["explained"] == pytest.approx(told["score"] - told["biases"], abs=1e-10)


def test_a_deeper_network_of_ours_is_explained() -> None:
    model = OTHERS["resnet"]()
    model.network.double()
    image = torch.randn(model.image_shape, generator=torch.Generator().manual_seed(2)).double()
    seen = [LRP(model.forward(image), (1,), rule=rule).values for rule in RULES]
    assert all(np.isfinite(values).all() for values in seen)
    assert not any(np.allclose(a, b) for a, b in pairwise(seen))


def test_a_transformer_is_told_why_not() -> None:
    reason = api.why_not("lrp", OTHERS["swin"]())
    assert reason is not None
    assert "attention needs rules of its own" in reason
