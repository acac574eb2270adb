"""The rules of relevance propagation, put under a network that runs as it is.

The values stay the same, but every operation carries relevance backward where it would carry a
gradient: `relevance_shares` says how, this file says which operation does what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.rules import relevance_shares as shares
from g3dvit_napari.models.rules.operations import Operation, active, in_place, name_of, tensors

# Operations that only move numbers about: relevance goes where a gradient goes.
_MOVING = """
    cat chunk clone concat concatenate contiguous double expand expand_as flatten flip float get
    getitem index_select masked_fill moveaxis movedim narrow pad permute reshape reshape_as roll
    select split split_with_sizes squeeze stack swapaxes swapdims t tensor_split to transpose type
    type_as unbind unflatten unsqueeze view view_as
"""
MOVING = frozenset(_MOVING.split())
# `a += b` reaches us as `a.add_(b)`; done on a copy, which a look at the logits shows to be right.
ON_A_COPY: dict[str, Operation] = {
    "add": torch.add, "mul": torch.mul, "div": torch.div, "relu": torch.relu, "silu": F.silu,
    "masked_fill": torch.masked_fill,
}  # fmt: skip
FUSED = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")  # torch's order


class Head(NamedTuple):
    """The last linear layer: what it read, its weights, what it returned."""

    entering: Tensor
    weight: Tensor
    value: Tensor


class RelevanceRules(TorchFunctionMode):
    """Inside, what follows from a tensor that wants a gradient is computed under the rules.

    All else (weights, positions, masks) is constant. An operation without a rule is refused once
    relevance comes to it.

    Parameters
    ----------
    partial
        The rules of partial LRP: the two parts of a linear map by themselves, sums without the
        rescaling.

    Attributes
    ----------
    head
        The last linear layer so far.
    """

    def __init__(self, *, partial: bool = False) -> None:
        super().__init__()
        self._partial = partial
        self.head: Head | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation under its rule."""
        kwargs = kwargs or {}
        inputs = [x for x in tensors(args, kwargs) if x.requires_grad]
        if not inputs:
            return func(*args, **kwargs)
        kwargs = {key: value for key, value in kwargs.items() if key != "inplace"}
        name = name_of(func)
        func = ON_A_COPY.get(name, func) if in_place(func) else func
        if in_place(func):  # what it writes into would lose its rule
            raise _no_rule(func)
        if name in MOVING:
            return func(*args, **kwargs)
        found = RULES[name](self, func, *args, **kwargs) if name in RULES else None
        return _without_rule(func, inputs, args, kwargs) if found is None else found

    def _keep(self, func: Any, input: Any, *args: Any, **options: Any) -> Any:
        """Norm, activation, softmax, division by a constant: all relevance is kept."""
        if active(args, options):
            return None
        return _whole(_value(func, input, *args, **options), input)

    def _scale(self, func: Any, input: Any, other: Any) -> Any:
        """Multiply by a constant."""
        x, constant = (input, other) if active(input) else (other, input)
        return None if active(constant) else _whole(_value(func, input, other), x)

    def _add(self, func: Any, input: Any, other: Any) -> Any:
        """Add a constant, which is a bias, or two things computed, a residual."""
        value = _value(func, input, other)
        if not (active(input) and active(other)):
            return _whole(value, input if active(input) else other)
        if not value.shape == input.shape == other.shape:
            return None
        return shares.residual(value, input, other, rescale=not self._partial)

    def _average(self, func: Any, input: Tensor, *args: Any, **options: Any) -> Any:
        value = _value(func, input, *args, **options)
        return shares.average(value, lambda x: func(x, *args, **options), input)

    def _linear(
        self,
        func: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *args: Any,
        **options: Any,
    ) -> Any:
        """Apply a linear layer or a convolution."""
        if active(weight) or active(bias):
            return None
        value = _value(func, input, weight, bias, *args, **options)
        if func is F.linear:
            self.head = Head(input, weight, value)
        return self._product(value, lambda x, w: func(x, w, None, *args, **options), input, weight)

    def _multiply(self, func: Any, a: Tensor, b: Tensor) -> Any:
        return self._product(_value(func, a, b), func, a, b)

    def _multiply_add(self, func: Any, input: Any, a: Tensor, b: Tensor, **options: Any) -> Any:
        """Multiply matrices and add a constant, which is a bias."""
        if active(input):
            return None
        return self._product(_value(func, input, a, b, **options), torch.matmul, a, b)

    def _einsum(self, _func: Any, equation: str, *operands: Any, **_path: Any) -> Any:
        factors = list(tensors(operands))
        if len(factors) != 2:
            return None
        value = _value(torch.einsum, equation, *factors)
        return self._product(value, lambda a, b: torch.einsum(equation, a, b), *factors)

    def _product(self, value: Tensor, f: shares.Bilinear, a: Tensor, b: Tensor) -> Tensor:
        """Multiply two things computed, or one by a constant: a linear map."""
        if not active(b):
            return shares.linear(value, f, a, b, separate=self._partial)
        if not active(a):
            return shares.linear(value, lambda x, w: f(w, x), b, a, separate=self._partial)
        return shares.product(value, f, a, b)

    def _attend(self, func: Any, *args: Any, **options: Any) -> Any:
        """Attend with a fused kernel; its dropout is for training."""
        given = dict(zip(FUSED, args, strict=False)) | options
        q, k, v = (given.pop(name) for name in FUSED[:3])
        mask, scale, _ = (given.pop(name, None) for name in ("attn_mask", "scale", "dropout_p"))
        if any(given.values()) or active(mask) or q.shape[:-2] != k.shape[:-2]:
            return None  # causal, or with keys for several heads
        scale = q.shape[-1] ** -0.5 if scale is None else scale
        mixed = _value(func, q, k, v, mask, scale=scale)
        return shares.attention(mixed, q, k, v, scale=scale, mask=mask)


RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        ("layer_norm", "gelu", "relu", "silu", "softmax", "dropout", "div"), RelevanceRules._keep
    ),
    "mul": RelevanceRules._scale,
    "add": RelevanceRules._add,
    **dict.fromkeys(("mean", "sum", "adaptive_avg_pool3d"), RelevanceRules._average),
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d"), RelevanceRules._linear),
    **dict.fromkeys(("matmul", "bmm", "mm"), RelevanceRules._multiply),
    **dict.fromkeys(("addmm", "baddbmm"), RelevanceRules._multiply_add),
    "einsum": RelevanceRules._einsum,
    "scaled_dot_product_attention": RelevanceRules._attend,
}


def _value(func: Any, *args: Any, **options: Any) -> Tensor:
    with torch.no_grad():
        return cast(Tensor, func(*args, **options))


def _whole(value: Tensor, x: Tensor) -> Tensor | None:
    return shares.whole(value, x) if value.shape == x.shape else None


def _without_rule(func: Any, inputs: list[Tensor], args: Any, kwargs: Any) -> Any:
    """Compute what there is no rule for; relevance that comes to it is an error."""
    result = func(*args, **kwargs)
    if not active(result):
        return result
    if not isinstance(result, Tensor):
        raise _no_rule(func)

    def back(_relevance: Tensor) -> tuple[Tensor, ...]:
        raise _no_rule(func)

    return shares.shared(result.detach(), back, *inputs)


def _no_rule(func: Any) -> MethodError:
    return MethodError(
        f"the network computes with {func.__name__!r}, for which relevance propagation has no "
        "rule; choose another method"
    )
