"""Ablation-CAM with hooks that set one feature to zero, the whole network run for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_features import PLACES, convolutional, network_of, plain_features
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.objective import Objective


def logits_without(model: ModelHandle, image: Tensor, feature: int, block: int) -> np.ndarray:
    """The logits (c) when one feature is zero at every token, the class token's included."""
    site = model.site(block)
    axis = 1 if site.layout == "b d f h w" else -1

    def remove(_module: Any, _inputs: Any, out: Tensor) -> Tensor:
        out = out.clone()
        out.select(axis, feature).zero_()
        return out

    hook = model.network.get_submodule(site.name).register_forward_hook(remove)
    logits = model.network(image)[0].detach().numpy()
    hook.remove()
    return logits


@pytest.mark.parametrize(("kind", "block"), PLACES)
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str, block: int) -> None:
    model = network_of(kind, build)
    head = [m for m in model.network.modules() if isinstance(m, nn.Linear)][-1]
    head.bias.data += torch.tensor([-5.0, 5.0, 0.0, 0.0]).double()
    a, _ = plain_features(model, image, block)
    s = model.network(image)[0].detach().numpy()
    left = np.stack([logits_without(model, image, d, block) for d in range(a.shape[1])])
    maps = METHODS["ablation_cam"].function(model.forward(image), (0, 1, 2, 3), block=block)
    assert s.min() < 0 < s.max()  # the sign of the map must not follow that of the logit
    for target in range(4):
        wanted = np.zeros(len(a))
        for d in range(a.shape[1]):
            wanted += (s[target] - left[d, target]) / abs(s[target]) * a[:, d]
        scale = np.abs(wanted).max()
        assert scale > 1e-3
        found = maps.values[target].ravel()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11 * max(scale, 1))
        assert (maps.magnitude[target].ravel() >= np.abs(found)).all()


def test_a_few_features_are_those_that_vary_most(build: Any, image: Tensor) -> None:
    model = build("mean")
    a, _ = plain_features(model, image)
    s = model.network(image)[0, 2].item()
    chosen = sorted(range(48), key=lambda d: -np.var(a[:, d]))[:5]
    weights = [(s - logits_without(model, image, d, -1)[2]) / abs(s) for d in chosen]
    maps = METHODS["ablation_cam"].function(model.forward(image), (2,), features=5)
    np.testing.assert_allclose(maps.values[0].ravel(), a[:, chosen] @ weights, rtol=0, atol=1e-12)


def test_another_objective_is_followed(image: Tensor) -> None:
    model = convolutional()
    a, _ = plain_features(model, image)
    p = model.network(image)[0].softmax(0)[1].item()
    left = [torch.from_numpy(logits_without(model, image, d, -1)).softmax(0)[1] for d in range(7)]
    weights = [(p - without.item()) / p for without in left]
    run = model.forward(image, objective=Objective("probability"))
    maps = METHODS["ablation_cam"].function(run, (1,))
    np.testing.assert_allclose(maps.values[0].ravel(), a @ weights, rtol=0, atol=1e-12)


def test_a_class_that_does_not_exist_is_refused_before_the_work(image: Tensor) -> None:
    model, ticks = convolutional(), []
    run = model.forward(image, lambda: ticks.append(1))
    before = len(ticks)
    with pytest.raises(MethodError, match="class 4 asked for"):
        METHODS["ablation_cam"].function(run, (4,))
    assert len(ticks) == before
