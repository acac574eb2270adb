"""Attention-Guided CAM: one graph in which the input of every attention is a constant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_attention import patches, plain_pass
from torch import Tensor

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention import attention

KINDS = ["class token", "mean", "simple"]


@pytest.mark.parametrize("kind", KINDS)
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    plain = plain_pass(model.network, image, detached=True)
    maps = METHODS["agcam"].function(model.forward(image), (3, 0))
    for values, target in zip(maps.values, (3, 0), strict=True):
        total = torch.zeros(len(plain.reading), dtype=torch.float64)
        gradients = plain.gradients(plain.logits[target])
        for scores, gradient in zip(plain.scores, gradients, strict=True):
            felt = plain.reading @ gradient.relu()  # h n: the class token's row, or the mean
            total += (felt * (plain.reading @ scores.sigmoid())).sum(0)
        wanted = patches(total, model.prefix_tokens)
        assert np.ptp(wanted) > 1e-5
        np.testing.assert_allclose(values.ravel(), wanted, rtol=0, atol=1e-12)


def test_gradients_through_attention_would_be_others(build: Any, image: Tensor) -> None:
    network = build().network
    whole, skip = (plain_pass(network, image, detached=d) for d in (False, True))
    first = whole.gradients(whole.logits[0])[0] - skip.gradients(skip.logits[0])[0]
    assert first.abs().max() > 1e-3  # so the test above can fail


def test_few_rows_at_a_time_make_no_difference(
    build: Any, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = METHODS["agcam"].function(build("mean").forward(image), (1, 0))
    monkeypatch.setattr(attention, "CHUNK_BYTES", 1)
    found = METHODS["agcam"].function(build("mean").forward(image), (1, 0))
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-12)
