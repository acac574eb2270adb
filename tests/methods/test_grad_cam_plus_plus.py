"""Grad-CAM++ with the fraction of equation 19 written out; what the denominator may do to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from plain_features import PLACES, network_of, plain_features
from torch import Tensor

from g3dvit_napari.core.threshold import status_of
from g3dvit_napari.methods import METHODS
from g3dvit_napari.methods.cam.grad_cam_plus_plus import _weights


def plain_weight(g: NDArray[np.float64], a: NDArray[np.float64]) -> float:
    """w of one feature: g and a of all its patches (n)."""
    weight = 0.0
    for gradient in g:
        if gradient > 0:
            kappa = gradient**2 / (2 * gradient**2 + gradient**3 * sum(a))
            weight += gradient * kappa
    return weight


@pytest.mark.parametrize(("kind", "block"), PLACES)
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str, block: int) -> None:
    model = network_of(kind, build)
    a, gradients = plain_features(model, image, block)
    maps = METHODS["grad_cam_plus_plus"].function(model.forward(image), (3, 0), block=block)
    for row, target in enumerate((3, 0)):
        g = gradients[target]
        weights = [plain_weight(g[:, d], a[:, d]) for d in range(a.shape[1])]
        wanted = a @ weights
        assert np.abs(wanted).max() > 1e-4
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-10 * scale)
        assert (maps.magnitude[row] >= np.abs(maps.values[row])).all()


def test_a_denominator_of_rounding_error_counts_for_nothing() -> None:
    total = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    gradients = torch.tensor([[2.0 + 1e-9, 0.5], [1.0, 0.0]], dtype=torch.float64)
    weights, sizes = _weights(gradients, total, total.abs())
    torch.testing.assert_close(weights, torch.tensor([1 / (2 - 1), 0.5 / 2.5]).double())
    assert (sizes >= weights.abs()).all()


def test_a_denominator_that_lost_its_digits_is_told_as_noise() -> None:
    # Two features of 1e7 that cancel: their sum of -4 is all rounding error.
    total, reach = torch.tensor([-4.0]).double(), torch.tensor([2e7]).double()
    weights, sizes = _weights(torch.ones(5, 1).double(), total, reach)
    assert weights.item() == -2.5
    values, sizes = weights.expand(2, 1).numpy().copy(), sizes.expand(2, 1).numpy()
    values[0] = 0
    assert status_of(values, sizes)[0] == "rounding noise"


def test_large_logits_do_not_overflow(build: Any, image: Tensor) -> None:
    model = build(double=False)
    with torch.no_grad():
        model.network.mlp_head[1].weight.mul_(1e3)
        model.network.mlp_head[1].bias.fill_(500.0)  # exp(88) is the largest that float32 holds
    maps = METHODS["grad_cam_plus_plus"].function(model.forward(image), (1,))
    assert model.forward(image).logits.abs().max() > 400
    assert np.isfinite(maps.values).all()
