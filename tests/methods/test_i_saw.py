"""Our reading of I-SAW: attention Grad-CAM, summed over heads and blocks."""

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
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    plain, prefix = plain_pass(model.network, image), model.prefix_tokens
    maps = METHODS["i_saw"].function(model.forward(image), (1, 0))
    for row, target in enumerate((1, 0)):
        terms = []
        gradients = plain.gradients(plain.logits[target])
        for weights, gradient in zip(plain.weights, gradients, strict=True):
            for head in range(len(weights)):
                weight = (plain.reading @ gradient[head])[prefix:].mean()
                terms.append(weight * (plain.reading @ weights[head]))
        wanted = patches(torch.stack(terms).sum(0), prefix)
        assert np.ptp(wanted) > 1e-6
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-13)
        sizes = patches(torch.stack(terms).abs().sum(0), prefix)
        np.testing.assert_allclose(maps.magnitude[row].ravel(), sizes, rtol=0, atol=1e-13)


def test_it_says_that_it_is_no_reproduction() -> None:
    entry = METHODS["i_saw"]
    assert "our reading" in entry.title
    assert "not public" in entry.reference
