"""Transformer attribution against its rules by hand, whole matrices and plain gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_attention import plain_pass
from plain_relevance import PlainRelevance
from rough_networks import fingerprint
from torch import Tensor, nn

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention import attention, attention_maps
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.objective import Objective

KINDS = ["class token", "mean", "simple"]
OBJECTIVES = [
    Objective("probability"),
    Objective("log_probability"),
    Objective("contrast", against=2),
]


def plainly(model: ModelHandle, image: Tensor, target: int, objective: Objective) -> np.ndarray:
    """The map (n) of one class: C_l = I + mean_h relu(∇A ⊙ R_A), J = C_L … C_1."""
    plain, hand = plain_pass(model.network, image), PlainRelevance(model.network)
    logits = hand.run(model.network.embed(image)[0].detach().numpy())
    np.testing.assert_allclose(logits, plain.logits.detach(), rtol=0, atol=1e-12)
    gradients = plain.gradients(objective.scores(plain.logits, [target])[0])
    start = objective.starts(plain.logits.detach(), [target])[0, 0].numpy()
    relevance = hand.relevance(start @ hand.head.weight.detach().numpy())
    joint = identity = np.eye(len(relevance[0][0]))
    for r, g in zip(relevance, gradients, strict=True):
        joint = (identity + np.maximum(g.numpy() * r, 0).mean(0)) @ joint
    row = plain.reading.numpy()
    return (row @ joint - row)[model.prefix_tokens :]


def explained(
    model: ModelHandle, image: Tensor, targets: tuple[int, ...], objective: Objective | None = None
) -> TokenMaps:
    run = model.forward(image, objective=objective)
    return METHODS["transformer_attribution"].function(run, targets)


@pytest.mark.parametrize("kind", KINDS)
def test_the_map_follows_the_paper(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    maps = explained(model, image, (0, 3))
    for row, target in enumerate((0, 3)):
        wanted = plainly(model, image, target, Objective())
        assert wanted.max() > 2 * wanted.min() > 0
        found = maps.values[row].ravel()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * wanted.max())


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.kind)
def test_other_objectives_are_outputs_of_the_last_layer(
    build: Any, image: Tensor, objective: Objective
) -> None:
    model = build()
    found = explained(model, image, (0,), objective).values.ravel()
    wanted = plainly(model, image, 0, objective)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * wanted.max())
    assert not np.allclose(found, explained(model, image, (0,)).values.ravel())


def test_the_two_classes_of_a_yes_no_head_have_their_own_maps(build: Any, image: Tensor) -> None:
    model = build()
    model.network.mlp_head[1] = nn.Linear(48, 1).double()
    objective = Objective(output="binary")
    no, yes = explained(model, image, (0, 1), objective).values.reshape(2, -1)
    np.testing.assert_allclose(no, plainly(model, image, 0, objective), rtol=1e-9)
    np.testing.assert_allclose(yes, plainly(model, image, 1, objective), rtol=1e-9)
    assert not np.allclose(no, yes)


def test_the_same_piece_by_piece_and_class_by_class(
    build: Any, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = explained(build("mean"), image, (0, 1, 2)).values
    monkeypatch.setattr(attention, "CHUNK_BYTES", 1)
    monkeypatch.setattr(attention_maps, "GRADIENT_BYTES", 1)
    pieces = explained(build("mean"), image, (0, 1, 2)).values
    np.testing.assert_allclose(pieces, whole, rtol=1e-9)


def test_float32_comes_close(build: Any, image: Tensor) -> None:
    exact = explained(build(), image, (1,)).values
    found = explained(build(double=False), image.float(), (1,)).values
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-3 * exact.max())


def test_the_network_is_used_as_it_is(build: Any, image: Tensor) -> None:
    model = build()
    weights = {name: p.clone() for name, p in model.network.named_parameters()}
    before = fingerprint(model.network.train())
    explained(model, image, (0, 1))
    assert fingerprint(model.network) == before
    assert all(torch.equal(p, weights[name]) for name, p in model.network.named_parameters())
