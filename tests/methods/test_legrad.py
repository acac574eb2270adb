"""LeGrad: the head behind every block, one backward pass for each, with whole matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_attention import patches, plain_pass
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention import attention, attention_maps

CASES = [("class token", "mean"), ("class token", "cls"), ("mean", "mean"), ("mean", "cls"),
         ("simple", "mean")]  # fmt: skip


@pytest.mark.parametrize(("kind", "readout"), CASES)
@pytest.mark.parametrize("layers", [0, 1, 2, 5])
def test_values_follow_the_formula(
    build: Any, image: Tensor, kind: str, readout: str, layers: int
) -> None:
    model = build(kind, depth=3)
    plain = plain_pass(model.network, image)
    options = {"layers": layers, "readout": readout}
    maps = METHODS["legrad"].function(model.forward(image), (3, 0), **options)
    chosen = list(range(3))[{0: 0, 1: 2, 2: 1, 5: 0}[layers] :]
    for values, target in zip(maps.values, (3, 0), strict=True):
        total = torch.zeros(len(plain.reading), dtype=torch.float64)
        for block in chosen:
            left = plain.leaving[block]
            if kind == "simple":
                number = model.network.linear_head(model.network.transformer.norm(left).mean(1))
            else:
                read = left.mean(1) if readout == "mean" else left[:, 0]
                number = model.network.mlp_head(read)
            (gradient,) = torch.autograd.grad(
                number[0, target], plain.weights[block], retain_graph=True
            )
            total += gradient.relu().mean((0, 1))
        wanted = patches(total, model.prefix_tokens)
        assert np.ptp(wanted) > 1e-6
        np.testing.assert_allclose(values.ravel(), wanted, rtol=0, atol=1e-12)


def test_no_class_token_can_be_read_where_there_is_none(build: Any, image: Tensor) -> None:
    with pytest.raises(MethodError, match="no class token to read; set readout to mean"):
        METHODS["legrad"].function(build("simple").forward(image), (0,), readout="cls")


def test_few_rows_and_classes_at_a_time_make_no_difference(
    build: Any, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = METHODS["legrad"].function(build("mean").forward(image), (1, 0, 2))
    monkeypatch.setattr(attention, "CHUNK_BYTES", 1)
    monkeypatch.setattr(attention_maps, "GRADIENT_BYTES", 1)
    found = METHODS["legrad"].function(build("mean").forward(image), (1, 0, 2))
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-12)
