"""Attention rollout: the product of whole matrices, each normalised row by row."""

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
FUSED = {"mean": lambda a: a.mean(0), "max": lambda a: a.amax(0), "min": lambda a: a.amin(0)}


def without_smallest(matrix: Tensor, share: float, prefix: int) -> Tensor:
    """Zero the smallest share of each row, never the diagonal nor the prefix columns."""
    matrix = matrix.detach().clone()
    for row, values in enumerate(matrix):
        order = [j for j in values.argsort().tolist() if j != row and j >= prefix]
        values[order[: int(share * len(values))]] = 0
    return matrix


def rollout(plain: Any, prefix: int, heads: str, discard: float, residual: float) -> Tensor:
    rolled = identity = torch.eye(len(plain.reading), dtype=torch.float64)
    for weights in plain.weights:
        fused = without_smallest(FUSED[heads](weights), discard, prefix)
        mixed = (1 - residual) * fused + residual * identity
        rolled = mixed / mixed.sum(-1, keepdim=True) @ rolled
    return plain.reading @ rolled


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("heads", FUSED)
@pytest.mark.parametrize(
    ("discard", "residual"), [(0.0, 0.5), (0.9, 0.5), (0.3, 0.0), (1.0, 0.25), (0.0, 0.9)]
)
def test_values_follow_the_formula(
    build: Any, image: Tensor, kind: str, heads: str, discard: float, residual: float
) -> None:
    model = build(kind)
    options = {"heads": heads, "discard": discard, "residual": residual}
    wanted = rollout(plain_pass(model.network, image), model.prefix_tokens, **options)
    wanted = patches(wanted, model.prefix_tokens)
    maps = METHODS["attention_rollout"].function(model.forward(image), (1, 0), **options)
    for values in maps.values:
        np.testing.assert_allclose(values.ravel(), wanted, rtol=0, atol=1e-12)
    assert np.array_equal(maps.values, maps.magnitude)


def test_what_is_passed_on_adds_up(build: Any, image: Tensor) -> None:
    maps = METHODS["attention_rollout"].function(build("simple").forward(image), (1,))
    assert maps.values.sum() == pytest.approx(1, abs=1e-12)


def test_the_identity_alone_leaves_everything_where_it_is(build: Any, image: Tensor) -> None:
    run = build("simple").forward(image)
    maps = METHODS["attention_rollout"].function(run, (1,), residual=1.0)
    np.testing.assert_allclose(maps.values, 1 / maps.values.size, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_few_rows_at_a_time_make_no_difference(
    build: Any, image: Tensor, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = METHODS["attention_rollout"].function(build(kind).forward(image), (1,), discard=0.5)
    monkeypatch.setattr(attention, "CHUNK_BYTES", 1)
    found = METHODS["attention_rollout"].function(build(kind).forward(image), (1,), discard=0.5)
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-12)
