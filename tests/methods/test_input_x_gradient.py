"""Input times gradient against autograd on the whole network, and against captum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from g3dvit_napari.methods import METHODS


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str) -> None:
    model, leaf = build(kind), image.clone().requires_grad_()
    maps = METHODS["input_x_gradient"].function(model.forward(image), (3, 0))
    logits = model.network(leaf)[0]
    for row, target in enumerate((3, 0)):
        (g,) = torch.autograd.grad(logits[target], leaf, retain_graph=True)
        terms = [(image[0, c] * g[0, c]).numpy() for c in range(2)]
        assert sum(terms).min() < -1e-4 < 1e-4 < sum(terms).max()
        np.testing.assert_allclose(maps.values[row], terms[0] + terms[1], rtol=0, atol=1e-12)
        size = np.abs(terms[0]) + np.abs(terms[1])
        np.testing.assert_allclose(maps.magnitude[row], size, rtol=0, atol=1e-12)


def test_captum_agrees(build: Any, image: Tensor) -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the reference")
    model = build("simple")
    maps = METHODS["input_x_gradient"].function(model.forward(image), (2,))
    leaf = image.clone().requires_grad_()
    found = captum.InputXGradient(model.network).attribute(leaf, target=2).detach()
    np.testing.assert_allclose(maps.values[0], found[0].sum(0), rtol=0, atol=1e-12)
