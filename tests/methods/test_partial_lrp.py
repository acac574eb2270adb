"""Partial LRP against its rules by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_relevance import PlainRelevance
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.objective import Objective

KINDS = ["class token", "mean", "simple"]


def plainly(model: ModelHandle, image: Tensor, row: np.ndarray) -> np.ndarray:
    """row(mean_h relu(R_A)) of the last block (n), where the explained number reads by `row`."""
    hand = PlainRelevance(model.network)
    hand.run(model.network.embed(image)[0].detach().numpy())
    matrix = np.maximum(hand.relevance(row, partial=True)[-1], 0).mean(0)
    read = matrix[0] if model.network.cls_pooling else matrix.mean(0)
    return read[model.prefix_tokens :]


def explained(model: ModelHandle, image: Tensor, *targets: int, **options: Any) -> TokenMaps:
    return METHODS["partial_lrp"].function(model.forward(image, **options), targets)


def head_of(model: ModelHandle) -> np.ndarray:
    return PlainRelevance(model.network).head.weight.detach().numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_the_map_follows_the_rules(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    maps = explained(model, image, 0, 3)
    for row, target in enumerate((0, 3)):
        wanted = plainly(model, image, head_of(model)[target])
        assert wanted.max() > 2 * wanted.min()
        found = maps.values[row].ravel()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * wanted.max())


def test_a_contrast_reads_with_the_difference_of_two_rows(build: Any, image: Tensor) -> None:
    model = build()
    found = explained(model, image, 0, objective=Objective("contrast", against=2)).values.ravel()
    weights = head_of(model)
    wanted = plainly(model, image, weights[0] - weights[2])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * wanted.max())


def test_no_block_but_the_last_is_run_again(build: Any, image: Tensor) -> None:
    model, ran = build(depth=4), []
    run = model.forward(image)
    run.attention()
    for number, block in enumerate(model.network.blocks):
        block.feed_forward.net[1].register_forward_hook(lambda *_, n=number: ran.append(n))
    METHODS["partial_lrp"].function(run, (1,))
    assert ran == [3]
