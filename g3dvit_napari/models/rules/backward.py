"""The backward rule of each operation that needs one: its own value, another gradient.

Every rule gets the mode, torch's function and its arguments, and returns what the function would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from g3dvit_napari.models.rules.operations import Operation, in_place, name_of, offset

if TYPE_CHECKING:
    from g3dvit_napari.models.rules.rules import Ruled

Rule = Callable[..., Any]


def _linear(
    ruled: Ruled, func: Operation, x: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    x, weight = _shared(x, weight)
    return ruled.layer(func, (x, weight, bias), -1, ruled.rules.linear)


def _convolution(
    ruled: Ruled,
    func: Operation,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *rest: Any,
    **named: Any,
) -> Tensor:
    def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return cast(Tensor, func(x, weight, bias, *rest, **named))

    x, weight = _shared(x, weight)
    out = ruled.layer(layer, (x, weight, bias), 1, ruled.rules.convolution)
    if "transpose" in name_of(func):  # its weights have other axes, so no norm is merged into it
        ruled.last = None
    return out


class _Still(torch.autograd.Function):
    """A norm over rows of numbers; their mean carries, their standard deviation is a constant."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, value: Operation, scale: Tensor | None, row: int, eps: float,
        centred: bool,
    ) -> Tensor:  # fmt: skip
        rows = x.reshape(-1, row)
        if centred:  # by far the fastest way to the standard deviation
            factor = torch.native_layer_norm(rows, (row,), None, None, eps)[2]
        else:
            factor = (rows.square().mean(-1, keepdim=True) + eps).rsqrt()
        ctx.save_for_backward(factor, scale)
        ctx.row, ctx.centred = row, centred
        return cast(Tensor, value(x))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        factor, scale = ctx.saved_tensors
        scaled = gradients[0] if scale is None else gradients[0] * scale
        rows = scaled.reshape(-1, ctx.row)
        shift = rows.mean(-1, keepdim=True) if ctx.centred else 0
        return (rows - shift).mul_(factor).view_as(scaled), None, None, None, None, None


def _still(
    x: Tensor, value: Operation, scale: Tensor | None, row: int, eps: float, *, centred: bool = True
) -> Tensor:
    return cast(Tensor, _Still.apply(x, value, scale, row, eps, centred))  # type: ignore[no-untyped-call]


def _layer_norm(
    ruled: Ruled,
    func: Operation,
    x: Tensor,
    shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *rest: Any,
) -> Tensor:
    out = _still(
        x, lambda x: func(x, shape, weight, bias, eps, *rest), weight, math.prod(shape), eps
    )
    if bias is not None and bias.ndim > 1:
        return ruled.noted(out, bias.expand_as(out))
    return ruled.noted(out, bias, -1)


def _rms_norm(
    _ruled: Ruled,
    func: Operation,
    x: Tensor,
    shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    small = torch.finfo(x.dtype).eps if eps is None else eps
    return _still(
        x, lambda x: func(x, shape, weight, eps), weight, math.prod(shape), small, centred=False
    )


def _group_norm(
    ruled: Ruled,
    func: Operation,
    x: Tensor,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *rest: Any,
) -> Tensor:
    row, scale = x[0].numel() // groups, _per_channel(weight, x.ndim)
    out = _still(x, lambda x: func(x, groups, weight, bias, eps, *rest), scale, row, eps)
    return ruled.noted(out, bias, 1)


def _channel_norm(ruled: Ruled, func: Operation, x: Tensor, *rest: Any) -> Tensor:
    """Batch and instance norms; of a single image they are the same.

    One that knows its statistics is linear; where the layer in front splits relevance, it is
    merged into that layer.
    """
    weight, bias, mean, variance, own, _, eps = rest[:7]
    if own and len(x) > 1:
        return cast(Tensor, ruled.refused(func(x, *rest), "a norm over several images"))
    if own:
        scale, row = _per_channel(weight, x.ndim), x[0, 0].numel()
        return ruled.noted(_still(x, lambda x: func(x, *rest), scale, row, eps), bias, 1)
    factor = (variance + eps).rsqrt() * (1 if weight is None else weight)
    added = (0 if bias is None else bias) - mean * factor
    last = ruled.last
    if last is None or last.out is not x:
        return ruled.noted(func(x, *rest), added, 1)
    given, w, b = last.given
    merged = (
        given,
        w * factor.reshape(-1, *[1] * (w.ndim - 1)),
        added if b is None else added + b * factor,
    )
    return ruled.split(
        last.layer, merged, 1, last.rule, lambda: cast(Tensor, func(x.detach(), *rest))
    )


def _per_channel(weight: Tensor | None, axes: int) -> Tensor | None:
    return None if weight is None else weight.view(1, -1, *[1] * (axes - 2))


def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Return Φ(x), or torch's approximation of it; in one piece of memory, as tokens are many."""
    if approximate == "none":
        inner: Tensor = x * 0.5**0.5
        return inner.erf_().add_(1).mul_(0.5)
    inner = (x * x).mul_(0.044715).add_(1).mul_(x).mul_((2 / math.pi) ** 0.5)
    return inner.tanh_().add_(1).mul_(0.5)


_GATES: dict[str, Callable[..., Tensor]] = {
    "gelu": _gelu,
    "silu": torch.sigmoid,
    "hardswish": F.hardsigmoid,
    "mish": lambda x: F.softplus(x).tanh(),
}


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Operation, gate: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.gate = gate
        return cast(Tensor, value(x))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return ctx.gate(x).mul_(gradients[0]), None, None


def _gated(ruled: Ruled, func: Operation, x: Tensor, **options: Any) -> Tensor:
    if not ruled.rules.gates:
        return cast(Tensor, func(x, **options))
    gate = partial(_GATES[name_of(func)], **options)
    if in_place(func):
        return x.mul_(gate(x.detach()))
    return cast(Tensor, _Gated.apply(x, partial(func, **options), gate))  # type: ignore[no-untyped-call]


def _softmax(ruled: Ruled, func: Operation, x: Tensor, *rest: Any, **named: Any) -> Tensor:
    still = ruled.rules.attention == "constant"
    return cast(Tensor, func(x.detach() if still else x, *rest, **named))


def _attention(
    ruled: Ruled,
    func: Operation,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *rest: Any,
    **named: Any,
) -> Tensor:
    """The fused kernel: two products of two activations, one inside the other."""
    if ruled.rules.attention == "constant":
        return cast(Tensor, func(query.detach(), key.detach(), value, *rest, **named))
    q, k, v = _scaled(query, 0.25), _scaled(key, 0.25), _scaled(value, 0.5)
    return cast(Tensor, func(q, k, v, *rest, **named))


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0] * ctx.factor, None


def _scaled(x: Tensor, factor: float) -> Tensor:
    return cast(Tensor, _Scaled.apply(x, factor))  # type: ignore[no-untyped-call]


def _shared(*factors: Any) -> Any:
    """Return factors of a product, each of which gets an equal part of the gradient."""
    carrying = [isinstance(x, Tensor) and x.requires_grad for x in factors]
    if sum(carrying) < 2:
        return factors
    return tuple(
        _scaled(x, 1 / sum(carrying)) if carries else x
        for x, carries in zip(factors, carrying, strict=True)
    )


def _product(ruled: Ruled, func: Operation, a: Any, b: Any, *rest: Any) -> Tensor:
    factors = _shared(a, b)
    if factors[0] is not a and in_place(func):
        return cast(Tensor, ruled.refused(func(a, b, *rest), "a product written in place"))
    return cast(Tensor, func(*factors, *rest))


def _sum_and_product(
    ruled: Ruled, func: Operation, start: Tensor, a: Tensor, b: Tensor, **named: Any
) -> Tensor:
    a, b = _shared(a, b)
    added = offset(func, (start, a, b), named)
    return ruled.noted(func(start, a, b, **named), added)


def _einsum(_ruled: Ruled, func: Operation, equation: str, *operands: Any, **named: Any) -> Tensor:
    factors = operands[0] if isinstance(operands[0], list | tuple) else operands
    return cast(Tensor, func(equation, list(_shared(*factors)), **named))


def _quotient(ruled: Ruled, func: Operation, a: Any, b: Any, **named: Any) -> Tensor:
    out = cast(Tensor, func(a, b, **named))
    divided = isinstance(b, Tensor) and b.requires_grad
    return cast(Tensor, ruled.refused(out, "a division by an activation")) if divided else out


BACKWARD: dict[str, Rule] = {
    "linear": _linear,
    **{f"conv{n}d": _convolution for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _convolution for n in (1, 2, 3)},
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": _channel_norm,
    "instance_norm": _channel_norm,
    **dict.fromkeys(_GATES, _gated),
    "softmax": _softmax,
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(("mul", "matmul", "mm", "bmm", "mv", "dot"), _product),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm", "addmv"), _sum_and_product),
    "einsum": _einsum,
    "div": _quotient,
}
