"""Gradient rollout: whole matrices times their whole gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_attention import patches, plain_pass
from test_attention_rollout import without_smallest
from torch import Tensor

from g3dvit_napari.methods import METHODS

KINDS = ["class token", "mean", "simple"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("discard", "residual"), [(0.0, 0.5), (0.8, 0.5), (0.0, 0.1)])
def test_values_follow_the_formula(
    build: Any, image: Tensor, kind: str, discard: float, residual: float
) -> None:
    model = build(kind)
    plain, prefix = plain_pass(model.network, image), model.prefix_tokens
    options = {"discard": discard, "residual": residual}
    maps = METHODS["gradient_rollout"].function(model.forward(image), (3, 0), **options)
    for values, target in zip(maps.values, (3, 0), strict=True):
        rolled = identity = torch.eye(len(plain.reading), dtype=torch.float64)
        gradients = plain.gradients(plain.logits[target])
        for weights, gradient in zip(plain.weights, gradients, strict=True):
            fused = without_smallest((weights * gradient).mean(0).relu(), discard, prefix)
            mixed = (1 - residual) * fused + residual * identity
            rolled = mixed / mixed.sum(-1, keepdim=True) @ rolled
        wanted = patches(plain.reading @ rolled, prefix)
        assert np.ptp(wanted) > 1e-5
        np.testing.assert_allclose(values.ravel(), wanted, rtol=0, atol=1e-12)


def test_rows_that_nothing_speaks_for_pass_nothing_on(build: Any, image: Tensor) -> None:
    model = build("class token")
    with torch.no_grad():
        model.network.mlp_head[1].weight[1] = 0  # no token changes the logit of class 1
    maps = METHODS["gradient_rollout"].function(model.forward(image), (1,), residual=0.0)
    assert not maps.values.any()


def test_small_differences_survive_the_identity_in_single_precision(
    build: Any, image: Tensor
) -> None:
    exact, rounded = build("simple"), build("simple", double=False)
    with torch.no_grad():
        for model in (exact, rounded):  # gradients of a thousandth: the identity holds all but 1e-6
            model.network.linear_head.weight.mul_(1e-3)
    wanted = METHODS["gradient_rollout"].function(exact.forward(image), (2,)).values
    found = METHODS["gradient_rollout"].function(rounded.forward(image.float()), (2,)).values
    assert np.ptp(wanted) < 1e-4 / wanted.size
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3 * np.ptp(wanted))
