"""Grad-CAM on attention weights, from whole matrices and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_attention import patches, plain_pass
from torch import Tensor

from g3dvit_napari.methods import METHODS

KINDS = ["class token", "mean", "simple"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [0, -1])
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str, block: int) -> None:
    model = build(kind)
    plain, prefix = plain_pass(model.network, image), model.prefix_tokens
    run = model.forward(image)
    maps = METHODS["attention_grad_cam"].function(run, (1, 0), block=block)
    for row, target in enumerate((1, 0)):
        gradient = plain.gradients(plain.logits[target])[block]
        terms = []
        for head, weights in enumerate(plain.weights[block]):
            weight = (plain.reading @ gradient[head])[prefix:].mean()
            terms.append(weight * (plain.reading @ weights))
        stacked = torch.stack(terms)
        wanted = patches(stacked.mean(0), prefix)
        assert np.ptp(wanted) > 1e-6
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-13)
        sizes = patches(stacked.abs().mean(0), prefix)
        np.testing.assert_allclose(maps.magnitude[row].ravel(), sizes, rtol=0, atol=1e-13)


def test_nothing_below_the_block_is_gone_through(build: Any, image: Tensor) -> None:
    ticks: list[int] = []
    run = build().forward(image, lambda: ticks.append(1))
    ticks.clear()
    METHODS["attention_grad_cam"].function(run, (1,))
    assert len(ticks) == 1
