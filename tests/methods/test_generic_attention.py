"""Generic attention explainability: whole matrices, from the first block to the last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_attention import patches, plain_pass
from torch import Tensor

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention import attention, attention_maps

KINDS = ["class token", "mean", "simple"]


@pytest.mark.parametrize("kind", KINDS)
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    plain = plain_pass(model.network, image)
    maps = METHODS["generic_attention"].function(model.forward(image), (2, 0))
    for values, target in zip(maps.values, (2, 0), strict=True):
        identity = torch.eye(len(plain.reading), dtype=torch.float64)
        relevance = identity
        gradients = plain.gradients(plain.logits[target])
        for weights, gradient in zip(plain.weights, gradients, strict=True):
            relevance = relevance + (gradient * weights).relu().mean(0) @ relevance
        wanted = patches(plain.reading @ (relevance - identity), model.prefix_tokens)
        assert np.ptp(wanted) > 1e-4
        np.testing.assert_allclose(values.ravel(), wanted, rtol=0, atol=1e-12)


def test_small_values_survive_the_identity_in_single_precision(build: Any, image: Tensor) -> None:
    exact, rounded = build("simple"), build("simple", double=False)
    with torch.no_grad():
        for model in (exact, rounded):
            model.network.linear_head.weight.mul_(1e-6)
    wanted = METHODS["generic_attention"].function(exact.forward(image), (2,)).values
    found = METHODS["generic_attention"].function(rounded.forward(image.float()), (2,)).values
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_few_rows_and_classes_at_a_time_make_no_difference(
    build: Any, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = METHODS["generic_attention"].function(build("mean").forward(image), (1, 0, 2))
    monkeypatch.setattr(attention, "CHUNK_BYTES", 1)
    monkeypatch.setattr(attention_maps, "GRADIENT_BYTES", 1)
    found = METHODS["generic_attention"].function(build("mean").forward(image), (1, 0, 2))
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-12)
