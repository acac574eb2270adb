"""Token removal: every mask by hand through the network's own blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from known_functions import PROBABILITY, nothing
from torch import Tensor

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.sampling.clusters import centroids_of

token_removal = METHODS["token_removal"].function
KINDS = ["class token", "mean", "simple"]


def masks_of(model: Any, image: Tensor, count: int, share: float, seed: int) -> Tensor:
    """The masks (m n) over the patches, from the outputs of the blocks as hooks see them."""
    outputs, first = [], model.prefix_tokens
    hooks = [b.register_forward_hook(lambda _m, _i, out: outputs.append(out[0, first:].detach()))
             for b in model.network.blocks]  # fmt: skip
    model.network(image)
    for hook in hooks:
        hook.remove()
    features = torch.cat(outputs, 1).T  # a vector over the tokens for each feature of each block
    centroids = centroids_of(features, count, seed)
    masks = torch.zeros_like(centroids, dtype=torch.bool)
    keep = round(share * masks.shape[1])
    for mask, centroid in zip(masks, centroids, strict=True):
        mask[centroid.argsort(descending=True)[:keep]] = True
    return masks


def logits_with(model: Any, image: Tensor, mask: Tensor) -> Tensor:
    network, first = model.network, model.prefix_tokens
    kept = torch.cat([torch.ones(first, dtype=torch.bool), mask])
    x = network.embed(image)[:, kept]  # the positions are in already
    for block in network.blocks:
        x = block(x)
    return network.read_out(x)[0].detach()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.5, 0.25])
def test_values_follow_the_formula_mask_by_mask(
    build: Any, image: Tensor, kind: str, share: float
) -> None:
    model, targets = build(kind), (3, 0)
    run = model.forward(image, nothing, PROBABILITY)
    maps = token_removal(run, targets, masks=6, share=share, seed=2)
    masks = masks_of(model, image, 6, share, seed=2)
    assert masks.sum(1).unique().tolist() == [round(share * 36)]
    p = torch.stack([logits_with(model, image, mask).softmax(0) for mask in masks])
    for row, target in enumerate(targets):
        mean = p[:, target].mean()
        for n, value in enumerate(maps.values[row].ravel()):
            shown = masks[:, n]
            published = p[shown, target].sum() / shown.sum() if shown.any() else mean
            assert value == pytest.approx(float(published - mean), abs=1e-12)
        assert maps.figures[row]["mean_score"] == pytest.approx(float(mean), abs=1e-12)
        assert maps.figures[row]["tokens_never_kept"] == int((~masks.any(0)).sum())
        assert maps.values[row].min() < -1e-4 < 1e-4 < maps.values[row].max()


def test_masks_differ_and_the_seed_is_the_users(build: Any, image: Tensor) -> None:
    run = build().forward(image)
    one, same, other = (token_removal(run, (0,), masks=8, seed=s).values for s in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
    assert len(masks_of(run.model, image, 8, 0.5, 0).unique(dim=0)) > 4


def test_fewer_tokens_go_through_the_blocks(build: Any, image: Tensor) -> None:
    model, seen = build(), []
    run = model.forward(image)
    model.network.blocks[0].register_forward_hook(lambda _m, x, _o: seen.append(x[0].shape[:2]))
    token_removal(run, (0,), masks=20)
    assert seen == [(1, 37), (1, 19), (16, 19), (3, 19)]


def test_other_networks_are_told_why_not() -> None:
    assert METHODS["token_removal"].needs == {"own blocks"}


def test_a_small_network_has_no_more_masks_than_features(build: Any, image: Tensor) -> None:
    maps = token_removal(build().forward(image), (0,), masks=500)
    assert np.isfinite(maps.values).all()
