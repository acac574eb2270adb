"""LibraGrad against the same rules written out plainly; and its promise: the shares add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.vit3d import ViT3D

KINDS = ["class token", "mean", "simple"]


def plain_norm(layer: Any, x: Tensor) -> Tensor:
    deviation = x - x.mean(-1, keepdim=True)
    std = torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + layer.eps).detach()
    return deviation / std * layer.weight + layer.bias


def plain_attention(attention: Any, x: Tensor) -> Tensor:
    q, k, v = attention.query_key_value(plain_norm(attention.norm, x))
    weights = (q @ k.mT * attention.scale).softmax(-1).detach()
    return attention.to_out((weights @ v).transpose(1, 2).flatten(2))


def plain_feed_forward(block: Any, x: Tensor) -> Tensor:
    norm, first, *_, second = block.feed_forward.net
    hidden = first(plain_norm(norm, x))
    gate = torch.distributions.Normal(0.0, 1.0).cdf(hidden).detach()
    return second(hidden * gate)


def plain_logits(network: ViT3D, tokens: Tensor) -> Tensor:
    """The whole network as one graph under the balanced rules."""
    x = tokens
    for block in network.blocks:
        x = x + plain_attention(block.attention, x)
        x = x + plain_feed_forward(block, x)
    if network.prefix_tokens == 0:
        return network.linear_head(plain_norm(network.transformer.norm, x).mean(1))[0]
    norm, linear = network.mlp_head
    return linear(plain_norm(norm, x[:, 0] if network.cls_pooling else x.mean(1)))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_values_follow_the_rules(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    maps = METHODS["libra_grad"].function(model.forward(image), (0, 3))
    tokens = model.network.embed(image).detach().requires_grad_()
    logits = plain_logits(model.network, tokens)
    torch.testing.assert_close(logits, model.network(image)[0], rtol=0, atol=1e-12)
    for row, target in enumerate((0, 3)):
        (g,) = torch.autograd.grad(logits[target], tokens, retain_graph=True)
        terms = (tokens * g)[0, model.prefix_tokens :].detach().numpy()
        assert terms.sum(-1).min() < -1e-3 < 1e-3 < terms.sum(-1).max()
        np.testing.assert_allclose(maps.values[row].ravel(), terms.sum(-1), rtol=0, atol=1e-12)
        np.testing.assert_allclose(maps.magnitude[row].ravel(), np.abs(terms).sum(-1), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shares_of_tokens_and_biases_add_up_to_the_logit(
    build: Any, image: Tensor, kind: str
) -> None:
    model = build(kind)
    found = model.forward(image).balanced(range(4))
    torch.testing.assert_close(found.logits, model.network(image)[0].detach(), rtol=0, atol=1e-12)
    assert found.residual.abs().max() < 1e-12
    total = found.relevance.sum(-1) + found.bias_part
    torch.testing.assert_close(total, found.logits, rtol=0, atol=1e-12)
    assert found.bias_part.abs().max() > 0.1  # not zero by accident


def test_the_bias_part_is_what_the_biases_really_add(build: Any, image: Tensor) -> None:
    model = build()
    tokens = model.network.embed(image).detach()
    biases = [p for n, p in model.network.named_parameters() if n.endswith("bias")
              and not n.startswith("to_patch")]  # fmt: skip
    logit = plain_logits(model.network, tokens)[2]
    grads = torch.autograd.grad(logit, biases)
    wanted = sum((b * g).sum() for b, g in zip(biases, grads, strict=True))
    found = model.forward(image).balanced([2]).bias_part[0]
    torch.testing.assert_close(found, wanted.detach(), rtol=0, atol=1e-12)


def test_a_class_seen_before_is_not_computed_again(build: Any, image: Tensor) -> None:
    run = build().forward(image)
    assert run.balanced([1]) is run.balanced((1,))
    assert not torch.equal(run.balanced([2]).relevance, run.balanced([1]).relevance)


def test_plain_gradients_do_not_add_up(build: Any, image: Tensor) -> None:
    model = build()
    tokens = model.network.embed(image).detach().requires_grad_()
    x = tokens
    for block in model.network.blocks:
        x = block(x)
    logit = model.network.read_out(x)[0, 0]
    names = [n for n, _ in model.network.named_parameters() if n.endswith("bias")
             and not n.startswith("to_patch")]  # fmt: skip
    biases = [model.network.get_parameter(n) for n in names]
    first, *rest = torch.autograd.grad(logit, [tokens, *biases])
    total = (tokens * first).sum() + sum((b * g).sum() for b, g in zip(biases, rest, strict=True))
    assert abs(total - logit) > 1e-3  # so the test above can fail


def test_float32_adds_up_to_float32_rounding(build: Any, image: Tensor) -> None:
    model = build(double=False)
    found = model.forward(image.float()).balanced([1])
    assert found.residual.abs().max() < 1e-5


def test_a_layer_without_a_rule_is_refused(build: Any, image: Tensor) -> None:
    model = build()
    model.network.blocks[0].feed_forward.net[2] = nn.Tanh()
    with pytest.raises(MethodError, match="no balanced rule for a Tanh layer"):
        model.forward(image).balanced([0])


def test_biases_and_gradients_of_the_network_stay_untouched(build: Any, image: Tensor) -> None:
    model = build()
    before = {n: p.clone() for n, p in model.network.named_parameters()}
    model.forward(image).balanced([0, 1])
    for name, parameter in model.network.named_parameters():
        assert parameter.grad is None
        assert parameter.requires_grad
        assert torch.equal(parameter, before[name])
