"""Saliency against autograd on the whole network, and against captum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from known_functions import PROBABILITY, nothing
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.methods import METHODS


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
def test_values_are_sizes_of_gradients(build: Any, image: Tensor, kind: str) -> None:
    model, leaf = build(kind), image.clone().requires_grad_()
    maps = METHODS["saliency"].function(model.forward(image), (3, 0))
    logits = model.network(leaf)[0]
    for row, target in enumerate((3, 0)):
        (g,) = torch.autograd.grad(logits[target], leaf, retain_graph=True)
        wanted = np.maximum(g[0, 0].abs(), g[0, 1].abs())
        assert wanted.max() > 1e-4
        np.testing.assert_allclose(maps.values[row], wanted, rtol=0, atol=1e-12)
    assert maps.cells == Cells.voxels((12, 20, 9))


def test_it_explains_the_number_that_is_asked_for(build: Any, image: Tensor) -> None:
    model, leaf = build(), image.clone().requires_grad_()
    maps = METHODS["saliency"].function(model.forward(image, nothing, PROBABILITY), (2,))
    (g,) = torch.autograd.grad(model.network(leaf)[0].softmax(0)[2], leaf)
    np.testing.assert_allclose(maps.values[0], g[0].abs().amax(0), rtol=0, atol=1e-12)


def test_pooled_it_is_the_sum_over_each_patch(build: Any, image: Tensor) -> None:
    run = build().forward(image)
    voxels = METHODS["saliency"].function(run, (1,)).values[0]
    pooled = METHODS["saliency"].function(run, (1,), pooled=True)
    assert pooled.cells == Cells.tiling((3, 4, 3), (4, 5, 3))
    for f, h, w in np.ndindex(3, 4, 3):
        patch = voxels[4 * f : 4 * f + 4, 5 * h : 5 * h + 5, 3 * w : 3 * w + 3]
        assert pooled.values[0, f, h, w] == pytest.approx(patch.sum(), rel=1e-12)


def test_captum_agrees(build: Any, image: Tensor) -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the reference")
    model = build("mean")
    maps = METHODS["saliency"].function(model.forward(image), (2,))
    found = captum.Saliency(model.network).attribute(image.clone().requires_grad_(), target=2)
    np.testing.assert_allclose(maps.values[0], found[0].amax(0), rtol=0, atol=1e-12)
