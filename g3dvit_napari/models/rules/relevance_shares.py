"""How each operation of a network shares the relevance of its result among its inputs.

Chefer et al., CVPR 2021, with α = 1; R is the relevance of a result, t = R / Z. The z-rule gives an
input x its part in a sum Z, x ⊙ ∂Z/∂x · t. One tensor that several operations read collects the sum
of what they give, as a gradient does (the paper's rule for it differs only where x is exactly 0).

Each function returns a value that is already known, made so that autograd carries relevance from it
to its inputs, where it would carry a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor

from g3dvit_napari.models.attention.attention import CHUNK_BYTES

LIFT = 1e-9
SIGNS: tuple[dict[str, float], ...] = ({"min": 0.0}, {"max": 0.0})  # as `clamp` takes them

Back = Callable[[Tensor], tuple[Tensor, ...]]
Bilinear = Callable[[Tensor, Tensor], Tensor]


def shared(value: Tensor, back: Back, *inputs: Tensor) -> Tensor:
    """Return a value (without a graph) whose relevance `back` shares among the inputs."""
    return cast(Tensor, _Shared.apply(value, back, *inputs))  # type: ignore[no-untyped-call]


class _Shared(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, back: Back, *_inputs: Tensor) -> Tensor:
        ctx.back = back
        return value.detach()  # another object: `back` may hold the value without holding its graph

    @staticmethod
    def backward(ctx: Any, *relevance: Tensor) -> Any:
        return (None, None, *ctx.back(relevance[0]))


def quotient(a: Tensor, b: Tensor) -> Tensor:
    """Return a / b, the size of b raised by 1e-9; 0 where b is 0."""
    return torch.where(b == 0, 0, a / torch.add(b, b.sign(), alpha=LIFT))


def whole(value: Tensor, x: Tensor) -> Tensor:
    """A norm, an activation, a scale or a bias: x keeps all relevance."""
    return shared(value, lambda relevance: (relevance,), x)


def linear(value: Tensor, f: Bilinear, x: Tensor, w: Tensor, *, separate: bool) -> Tensor:
    """A linear map f(x, w) with constant w: the parts of equal sign, Z = f(x⁺, w⁺) + f(x⁻, w⁻).

    The bias is no part of Z. `separate`: each of the two is divided by itself instead of by Z, as
    in partial LRP; the relevance then doubles.
    """

    def back(relevance: Tensor) -> tuple[Tensor]:
        with torch.enable_grad():
            parts = [x.detach().clamp(**sign).requires_grad_() for sign in SIGNS]
            sums = [f(part, w.clamp(**sign)) for part, sign in zip(parts, SIGNS, strict=True)]
        z = sums[0].detach() + sums[1].detach()
        by = [s.detach() if separate else z for s in sums]
        (first,), (second,) = (
            _parts(s, relevance, b, p) for s, b, p in zip(sums, by, parts, strict=True)
        )
        return (first + second,)

    return shared(value, back, x)


def average(value: Tensor, f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A mean or a sum over some of x: the z-rule."""

    def back(relevance: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            z = f(leaf)
        return _parts(z, relevance, z.detach(), leaf)

    return shared(value, back, x)


def product(value: Tensor, f: Bilinear, a: Tensor, b: Tensor) -> Tensor:
    """A product f(a, b) of two things computed: the z-rule for each factor, halved."""

    def back(relevance: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            leaves = a.detach().requires_grad_(), b.detach().requires_grad_()
            z = f(*leaves)
        return tuple(part / 2 for part in _parts(z, relevance, z.detach(), *leaves))

    return shared(value, back, a, b)


def residual(value: Tensor, a: Tensor, b: Tensor, *, rescale: bool) -> Tensor:
    """A sum of one sample: the z-rule; rescaled, ΣR_a : ΣR_b are as their sizes and make up ΣR."""

    def back(relevance: Tensor) -> tuple[Tensor, ...]:
        t = quotient(relevance, value)
        parts = a.detach() * t, b.detach() * t
        if not rescale:
            return parts
        total, *sums = (part.sum() for part in (relevance, *parts))
        size = sums[0].abs() + sums[1].abs()
        wanted = [quotient(s.abs(), size) * total for s in sums]
        return tuple(p * quotient(w, s) for p, w, s in zip(parts, wanted, sums, strict=True))

    return shared(value, back, a, b)


def attention(
    value: Tensor, q: Tensor, k: Tensor, v: Tensor, *, scale: float, mask: Tensor | None = None
) -> Tensor:
    """Attention o = A v, A = softmax(scale · q kᵀ + mask), some query rows (... h n e) at a time.

    The two products are shared out as in `product`, R_A = ½ A ⊙ (t vᵀ) with t = R / o; the softmax
    and the scale pass relevance on whole, and the mask has no part in it.
    """

    def back(relevance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        t = quotient(relevance, value)
        at_q, at_k, at_v = (torch.zeros_like(x) for x in (q, k, v))
        for rows in _row_chunks(q, k):
            scores = q.detach()[..., rows, :] @ k.detach().mT
            weights = _softmax(scores * scale, mask, rows)
            half = weights * (t[..., rows, :] @ v.detach().mT) / 2
            u = quotient(half, scores)
            at_q[..., rows, :] = u @ k.detach()
            at_k += u.mT @ q.detach()[..., rows, :]
            at_v += weights.mT @ t[..., rows, :]
        return tuple(x.detach() * at / 2 for x, at in ((q, at_q), (k, at_k), (v, at_v)))  # type: ignore[return-value]

    return shared(value, back, q, k, v)


def head_relevance(x: Tensor, w: Tensor, starts: Tensor, *, separate: bool) -> Tensor:
    """Return the relevance (k 1 d) at the input (1 d) of the last linear layer.

    What is explained, a combination Σ_c s_c y_c of the logits with the weights of `starts` (k 1 c),
    is itself an output of that layer, with the weights Σ_c s_c w_c; its relevance is one. For a
    logit this is the one-hot start of the paper.
    """
    rows = starts @ w
    parts = [x.clamp(**sign) * rows.clamp(**sign) for sign in SIGNS]
    sums = [part.sum(-1, keepdim=True) for part in parts]
    by = sums if separate else [sums[0] + sums[1]] * 2
    return quotient(parts[0], by[0]) + quotient(parts[1], by[1])


def _parts(z: Tensor, relevance: Tensor, by: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    """Return x ⊙ ∂z/∂x · R / by of every leaf x."""
    pulled = torch.autograd.grad(z, leaves, quotient(relevance, by))
    return tuple(leaf.detach() * g for leaf, g in zip(leaves, pulled, strict=True))


def _row_chunks(q: Tensor, k: Tensor) -> Iterator[slice]:
    one_row = q[..., 0, 0].numel() * k.shape[-2] * q.element_size()
    step = max(1, CHUNK_BYTES // one_row)
    for row in range(0, q.shape[-2], step):
        yield slice(row, row + step)


def _softmax(scores: Tensor, mask: Tensor | None, rows: slice) -> Tensor:
    if mask is not None:
        part = mask[..., rows, :] if mask.shape[-2] > 1 else mask
        hidden = part.dtype == torch.bool
        scores = scores.masked_fill(~part, float("-inf")) if hidden else scores + part
    return scores.softmax(-1)
