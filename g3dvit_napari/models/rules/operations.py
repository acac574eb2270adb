"""Torch's operations as a mode sees them: what each is called, and which are linear already.

A mode gets every call of a network into torch, whichever module makes it. One operation has many
spellings (`x + y`, `x.add_(y)`, `torch.add(x, y)`), all of which share one name here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

Operation = Callable[..., Any]

_GUARDS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
_COMPOSED = ("torch.nn.functional", "torch.functional")  # written in Python, of other operations
_WRITING = ("__iadd__", "__isub__", "__imul__", "__idiv__", "__itruediv__", "__setitem__")
_SPELLINGS = {
    "iadd": "add", "radd": "add", "isub": "sub", "subtract": "sub", "imul": "mul", "rmul": "mul",
    "multiply": "mul", "idiv": "div", "itruediv": "div", "truediv": "div", "true_divide": "div",
    "divide": "div", "rmatmul": "matmul",
}  # fmt: skip
_MOVING = """
    T adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d alpha_dropout avg_pool1d
    avg_pool2d avg_pool3d broadcast_to channel_shuffle chunk clone col2im contiguous copy cumsum
    diagonal double dropout expand expand_as feature_alpha_dropout feature_dropout flatten flip
    float fold gather get getitem half im2col index_select mT masked_select mean moveaxis movedim
    narrow neg permute pixel_shuffle pixel_unshuffle positive ravel repeat repeat_interleave
    requires_grad reshape reshape_as roll rot90 select split split_with_sizes squeeze sum swapaxes
    swapdims t take_along_dim tensor_split tile to transpose tril triu type type_as unbind unflatten
    unfold unsqueeze upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d
    upsample_nearest2d upsample_nearest3d upsample_trilinear3d view view_as
"""
# f(s x) = s f(x) for s > 0, so that x times its gradient is f(x): as good as linear.
_KINKED = """
    abs adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d amax amin leaky_relu max
    max_pool1d max_pool2d max_pool3d maximum min minimum prelu relu rrelu
"""
# Linear too, but constants may come in here, which act as a bias does.
_JOINING = """
    add cat concat concatenate dstack hstack index_add index_copy index_put masked_fill pad rsub
    scatter scatter_add setitem stack sub vstack where
"""
LINEAR = frozenset((_MOVING + _KINKED).split())
JOINING = frozenset(_JOINING.split())


def name_of(func: Operation) -> str:
    """Return what an operation is called, in whatever way it is written."""
    bare = getattr(func, "__name__", str(func)).strip("_")
    return _SPELLINGS.get(bare, bare)


def in_place(func: Operation) -> bool:
    """Whether an operation writes into its first argument."""
    name = getattr(func, "__name__", "")
    return name in _WRITING if name.startswith("__") else bool(name.endswith("_"))


@cache
def composed(func: Operation) -> Operation | None:
    """Return the body of a torch function written in Python, whose own calls a mode then sees.

    Such a function hands itself to the active mode before it does anything; its body is the same
    function without that question. None for what is not written so.
    """
    if not isinstance(func, FunctionType) or func.__module__ not in _COMPOSED:
        return None
    silent = {name: _nobody for name in _GUARDS if name in func.__code__.co_names}
    if not silent:
        return None
    scope = {**func.__globals__, **silent}
    body = FunctionType(func.__code__, scope, func.__name__, func.__defaults__, func.__closure__)
    body.__kwdefaults__ = func.__kwdefaults__
    return body


def _nobody(*_: object) -> bool:
    return False


def tensors(*values: Any) -> Iterator[Tensor]:
    """Yield the tensors among arguments, also those in lists and mappings."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from tensors(*value)
        elif isinstance(value, dict):
            yield from tensors(*value.values())


def active(*values: Any) -> bool:
    """Whether a gradient flows through any of the arguments."""
    return any(tensor.requires_grad for tensor in tensors(*values))


def offset(func: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """Return what an operation that is linear up to a constant adds: its value at zero.

    To be asked before the operation is run, which may write over its arguments. None when it adds
    nothing.
    """
    numbers = [t for t in tensors(args, kwargs) if t.is_floating_point()]
    if len(numbers) > 1 and all(t.requires_grad for t in numbers):
        return None
    given = _zeroed(args)
    with torch.no_grad():  # zeros written into a constant are written over by the real values
        found = func(*given, **_zeroed(kwargs))
    # -inf stands where attention is masked, and no gradient flows
    value: Tensor = (given[0] if found is None else found).nan_to_num(0, 0, 0)
    return value if value.any() else None


def _zeroed(value: Any) -> Any:
    if isinstance(value, Tensor):
        return torch.zeros_like(value) if value.requires_grad else value
    if isinstance(value, tuple | list):
        return type(value)(map(_zeroed, value))
    if isinstance(value, dict):
        return {name: _zeroed(each) for name, each in value.items()}
    return value
