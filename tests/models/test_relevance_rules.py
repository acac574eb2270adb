"""Networks as others write them: the same relevance, whichever way an operation is spelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.as_found.steady import Steady
from g3dvit_napari.models.rules.relevance_rules import RelevanceRules

Way = Callable[[Tensor], Tensor]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


X, W, BIAS = numbers(1, 5, 6), numbers(4, 6, seed=1), numbers(4, seed=2)
TO_Q, TO_K, TO_V = (numbers(6, 6, seed=n) for n in (3, 4, 5))
MASK = torch.zeros(5, 5).double().masked_fill(torch.eye(5).bool().roll(1, 0), float("-inf"))


def relevance(way: Way, *, partial: bool = False) -> Tensor:
    """The relevance at X of what a way of computing returns, which must be what it always is."""
    with RelevanceRules(partial=partial), Steady():
        x = X.clone().requires_grad_()
        out = way(x)
    torch.testing.assert_close(out.detach(), way(X.clone()), rtol=0, atol=1e-12)
    (found,) = torch.autograd.grad(out, x, numbers(*out.shape, seed=8))
    return found


def heads(x: Tensor, weight: Tensor) -> Tensor:
    return F.linear(x, weight).unflatten(-1, (2, 3)).transpose(1, 2)


def fused(x: Tensor, mask: Tensor | None = None) -> Tensor:
    q, k, v = (heads(x, w) for w in (TO_Q, TO_K, TO_V))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def with_matmul(x: Tensor, mask: Tensor | None = None) -> Tensor:
    q, k, v = (heads(x, w) for w in (TO_Q, TO_K, TO_V))
    scores = q @ k.transpose(-1, -2) * 3**-0.5
    weights = F.dropout(scores if mask is None else scores + mask, 0.1, False).softmax(-1)
    return torch.matmul(weights, v).transpose(1, 2).reshape(1, 5, 6)


def with_einsum(x: Tensor) -> Tensor:
    qkv = F.linear(x, torch.cat([TO_Q, TO_K, TO_V])).reshape(1, 5, 3, 2, 3).permute(2, 0, 3, 1, 4)
    scores = torch.einsum("bhxd,bhyd->bhxy", qkv[0], qkv[1]) / 3**0.5
    weights = torch.softmax(scores, dim=-1).contiguous()
    return torch.einsum("bhxy,bhyd->bxhd", weights, qkv[2]).flatten(2)


def torchs_layer() -> nn.MultiheadAttention:
    layer = nn.MultiheadAttention(6, 2, bias=False, batch_first=True).double().eval()
    layer.in_proj_weight.data = torch.cat([TO_Q, TO_K, TO_V])
    layer.out_proj.weight.data = torch.eye(6).double()
    return layer.requires_grad_(False)


LAYER = torchs_layer()


def with_torchs_layer(x: Tensor, *, need_weights: bool, mask: Tensor | None = None) -> Tensor:
    return LAYER(x, x, x, need_weights=need_weights, attn_mask=mask)[0]


def projected(way: Callable[..., Tensor], **options: Any) -> Way:
    """The same with a projection behind it, as torch's own layer has."""
    return lambda x: F.linear(way(x, **options), torch.eye(6).double())


ATTENTION: dict[str, Way] = {
    "matmul": projected(with_matmul),
    "einsum": projected(with_einsum),
    "torch's layer": lambda x: with_torchs_layer(x, need_weights=False),
    "torch's layer with weights": lambda x: with_torchs_layer(x, need_weights=True),
}
MASKED: dict[str, Way] = {
    "matmul": projected(with_matmul, mask=MASK),
    "torch's layer": lambda x: with_torchs_layer(x, need_weights=False, mask=MASK),
    "torch's layer with weights": lambda x: with_torchs_layer(x, need_weights=True, mask=MASK),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_in_any_spelling(name: str) -> None:
    wanted = relevance(projected(fused))
    torch.testing.assert_close(relevance(ATTENTION[name]), wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", MASKED)
def test_masked_attention_in_any_spelling(name: str) -> None:
    wanted = relevance(projected(fused, mask=MASK))
    torch.testing.assert_close(relevance(MASKED[name]), wanted, rtol=1e-6, atol=1e-7)


LINEAR: dict[str, Way] = {
    "module": lambda x: F.linear(x, W, BIAS) * 2.0,
    "matmul": lambda x: 2 * (x @ W.mT + BIAS),
    "einsum": lambda x: torch.einsum("oi,bni->bno", W, x).add(BIAS) / 0.5,
    "einsum with a list": lambda x: torch.einsum("oi,bni->bno", [W, x]).add(BIAS).mul(2),
    "addmm": lambda x: torch.addmm(BIAS, x[0], W.mT)[None] * 2,
    "bmm": lambda x: (torch.bmm(x, W.mT[None]) + BIAS).div(0.5),
    "convolution": lambda x: F.conv1d(x.mT, W[..., None], BIAS).mT * 2,
    "from the left": lambda x: ((W @ x.mT).mT + BIAS) * 2,
    "in place": lambda x: F.linear(x, W).add_(BIAS).mul_(2),
}


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("partial", [False, True])
def test_linear_maps_in_any_spelling(name: str, partial: bool) -> None:
    wanted = relevance(LINEAR["module"], partial=partial)
    found = relevance(LINEAR[name], partial=partial)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-7)


def test_the_two_families_of_rules_differ() -> None:
    assert not torch.allclose(
        relevance(LINEAR["module"]), relevance(LINEAR["module"], partial=True)
    )


RESIDUAL: dict[str, Way] = {
    "sum": lambda x: x + F.gelu(F.linear(x, TO_Q)),
    "in place": lambda x: F.gelu(F.linear(x, TO_Q)).add_(x),
    "augmented": lambda x: _augmented(x),
    "function": lambda x: torch.add(x, F.gelu(F.linear(x, TO_Q))),
}


def _augmented(x: Tensor) -> Tensor:
    skip = x
    x = nn.GELU()(F.linear(x, TO_Q))
    x += skip
    return x


@pytest.mark.parametrize("name", RESIDUAL)
def test_residuals_in_any_spelling(name: str) -> None:
    torch.testing.assert_close(relevance(RESIDUAL[name]), relevance(RESIDUAL["sum"]))


KEEPING: dict[str, Way] = {
    "norm": lambda x: F.layer_norm(x, (6,), numbers(6, seed=6), numbers(6, seed=7)),
    "activations": lambda x: F.silu(F.relu(F.gelu(x), inplace=True)),
    "softmax": lambda x: x.softmax(-1),
    "dropout": lambda x: nn.Dropout(0.3, inplace=True).eval()(x),
    "layer scale": lambda x: x * numbers(6, seed=6),
    "positions": lambda x: numbers(5, 6, seed=6) + x,
    "moved": lambda x: x.mT[:, :, None].squeeze(2).roll(2, 1).roll(-2, 1).permute(0, 2, 1),
    "joined": lambda x: torch.cat(x.chunk(3, dim=-1), dim=-1),
    "stacked": lambda x: torch.stack(x.unbind(1), dim=1),
}


@pytest.mark.parametrize("name", KEEPING)
def test_what_keeps_relevance_as_it_is(name: str) -> None:
    assert torch.equal(relevance(KEEPING[name]), numbers(1, 5, 6, seed=8))


@pytest.mark.parametrize("way", [lambda x: x.mean(1), lambda x: x.sum(1) / 5])
def test_averages(way: Way) -> None:
    found, r = relevance(way), numbers(1, 6, seed=8)
    torch.testing.assert_close(found, X * (r / X.sum(1))[:, None], rtol=1e-6, atol=0)


REFUSED: dict[str, Way] = {
    "pow": lambda x: x**2,
    "mul": lambda x: x * F.gelu(x),
    "__rdiv__": lambda x: 1 / x,
    "linear": lambda x: F.linear(x, x[0]),
    "add": lambda x: x + x[:, :1],
    "einsum": lambda x: torch.einsum("bni,bni,oi->bno", x, x, W),
    "scaled_dot_product_attention": lambda x: F.scaled_dot_product_attention(
        x[None], x[None], x[None], is_causal=True
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_operation_without_a_rule_is_refused_by_name(name: str) -> None:
    with pytest.raises(MethodError, match=f"computes with '{name}'"):
        relevance(REFUSED[name])


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("sigmoid_", lambda x: x.clone().sigmoid_()),
        ("__setitem__", lambda x: x.clone().__setitem__((0, 0), 1.0)),
        ("max", lambda x: x.clone().max(dim=1)[0]),
    ],
)
def test_some_are_refused_at_once(name: str, way: Way) -> None:
    with pytest.raises(MethodError, match=f"computes with '{name}'"), RelevanceRules():
        way(X.clone().requires_grad_())


def test_what_relevance_never_comes_to_needs_no_rule() -> None:
    def below(x: Tensor) -> Tensor:
        return F.linear(x, TO_Q)

    with RelevanceRules():
        x = X.clone().requires_grad_()
        first = below(x.sigmoid().tan())
        out = F.linear(first, TO_K)
    (found,) = torch.autograd.grad(out, first, numbers(1, 5, 6, seed=8), retain_graph=True)
    assert found.any()
    with pytest.raises(MethodError, match="computes with 'tan'"):
        torch.autograd.grad(out, x, numbers(1, 5, 6, seed=8))


def test_questions_about_a_tensor_are_answered() -> None:
    def curious(x: Tensor) -> Tensor:
        assert (x.shape[1], x.dim(), x.is_cuda) == (5, 3, False)
        assert (x > 0).any()
        assert x.argmax() >= 0
        return x.float().to(x.dtype) * x.size(1)

    assert torch.equal(relevance(curious).float(), numbers(1, 5, 6, seed=8).float())
