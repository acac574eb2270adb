"""Queries, keys, values and the gradients at what they mix, against whole matrices in one graph."""

from __future__ import annotations

import pytest
import torch
from plain_attention import plain_pass
from test_forward import KINDS, build, picture
from torch import Tensor

from g3dvit_napari.models.objective import Objective

EVERYTHING = slice(None)
every_kind = pytest.mark.parametrize("kind", KINDS)


def matrices(mixed: Tensor, values: Tensor) -> Tensor:
    """∇A (h n n) from ∇o (g h r e) and v (g h n e); rows left out are zero."""
    found = torch.zeros(values.shape[1], values.shape[2], values.shape[2], dtype=values.dtype)
    found[:, : mixed.shape[2]] = (mixed @ values.mT)[0]
    return found


@every_kind
def test_attention_is_that_of_the_network(kind: str) -> None:
    model = build(kind)
    plain = plain_pass(model.network, picture())
    torch.testing.assert_close(plain.logits, model.network(picture())[0])  # the slow way is true
    layers = model.forward(picture()).attention()
    assert len(layers) == len(plain.weights)
    for index, layer in enumerate(layers):
        assert layer.site == model.site(index)
        scores = layer.scores(EVERYTHING, EVERYTHING)[0]
        torch.testing.assert_close(scores, plain.scores[index], rtol=0, atol=1e-12)
        weights = layer.weights(EVERYTHING, EVERYTHING)[0]
        torch.testing.assert_close(weights, plain.weights[index], rtol=0, atol=1e-12)


@every_kind
@pytest.mark.parametrize("skip_only", [False, True])
def test_gradients_are_those_of_the_whole_network(kind: str, skip_only: bool) -> None:
    model = build(kind)
    plain = plain_pass(model.network, picture(), detached=skip_only)
    run = model.forward(picture())
    found = run.attention_gradients((2, 0), skip_only=skip_only)
    for row, target in enumerate((2, 0)):
        wanted = plain.gradients(plain.logits[target])
        for layer, mixed, gradient in zip(run.attention(), found, wanted, strict=True):
            assert gradient.abs().max() > 1e-4
            ours = matrices(mixed[row], layer.v)
            torch.testing.assert_close(ours, gradient, rtol=0, atol=1e-12)


def test_the_explained_number_is_the_objective_s() -> None:
    model = build()
    plain = plain_pass(model.network, picture())
    run = model.forward(picture(), objective=Objective("probability"))
    wanted = plain.gradients(plain.logits.softmax(-1)[1])
    pairs = zip(run.attention(), run.attention_gradients((1,)), wanted, strict=True)
    for layer, mixed, gradient in pairs:
        torch.testing.assert_close(matrices(mixed[0], layer.v), gradient, rtol=0, atol=1e-12)


@every_kind
@pytest.mark.parametrize("pool", ["mean", "cls"])
@pytest.mark.parametrize("objective", ["logit", "log_probability"])
def test_the_head_can_read_any_block(kind: str, pool: str, objective: str) -> None:
    model = build(kind)
    plain = plain_pass(model.network, picture())
    run = model.forward(picture(), objective=Objective(objective))
    found = list(run.read_out_gradients((3, 0), 0, pool))
    assert len(found) == len(plain.leaving)
    for layer, mixed, weights, left in zip(
        run.attention(), found, plain.weights, plain.leaving, strict=True
    ):
        if (pool == "cls") != model.network.cls_pooling:  # the head reads one token: this one
            left = left[:, :1] if pool == "cls" else left.mean(1, keepdim=True)
        logits = model.network.read_out(left)[0]
        numbers = logits if objective == "logit" else logits.log_softmax(-1)
        for row, target in enumerate((3, 0)):
            (wanted,) = torch.autograd.grad(numbers[target], weights, retain_graph=True)
            ours = matrices(mixed[row], layer.v)
            torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-12)


def test_the_head_reads_only_the_blocks_asked_for() -> None:
    run = build().forward(picture())
    every = list(run.read_out_gradients((1,), 0, "mean"))
    last = list(run.read_out_gradients((1,), -1, "mean"))
    assert len(every) == 3
    assert len(last) == 1
    assert torch.equal(last[0], every[-1])


def test_the_same_request_again_costs_nothing() -> None:
    run = build("mean").forward(picture())
    assert run.attention() is run.attention()
    assert run.attention_gradients([1]) is run.attention_gradients((1,))
    other = run.attention_gradients((1,), skip_only=True)
    assert not torch.equal(other[0], run.attention_gradients((1,))[0])


def test_only_the_blocks_asked_for_are_gone_through() -> None:
    ticks: list[int] = []
    model = build("mean")
    wanted = model.forward(picture()).attention_gradients((0,))
    run = model.forward(picture(), lambda: ticks.append(1))
    assert len(wanted) == 3
    for first, blocks in ((-1, 1), (1, 2), (0, 3)):
        ticks.clear()
        found = run.attention_gradients((0,), first)
        assert len(found) == len(ticks) == blocks
        assert all(map(torch.equal, found, wanted[-blocks:]))


def test_a_class_token_that_is_read_alone_leaves_one_row() -> None:
    found = build().forward(picture()).attention_gradients((0, 1))
    tokens = build().site().tokens
    assert [g.shape[3] for g in found] == [tokens, tokens, 1]
    only = build().forward(picture()).attention_gradients((0, 1), skip_only=True)
    assert [g.shape[3] for g in only] == [1, 1, 1]
