"""A second device made of the CPU: its tensors hold real numbers and refuse to meet the CPU's.

Code that runs on it moves every tensor where it belongs, as on a GPU; what a GPU's kernels round
differently it cannot show. Its name is "meta", the one device besides the CPU's that any build of
torch lets autograd work on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

PLACE = torch.device("meta")
_FREE = {"aten._to_copy.default", "aten.copy_.default"}  # the ways from one device to the other


class Away(Tensor):
    """A tensor on the other device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Away:
        made: Away = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=PLACE,
            requires_grad=False,
        )
        made.held = held
        return made

    # Torch's own would call every result an Away.
    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class Elsewhere(TorchDispatchMode):
    """Lets tensors be made on the other device and be brought there."""

    single = False  # whether the device knows no float64, as Apple's

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class Lists(TorchFunctionMode):
    """Turns lists into tensors of the other device and back, as torch does unseen by the rest."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], Away):
            return func(args[0], _indices(args[1]), *args[2:])
        if func is Tensor.new_tensor and isinstance(args[0], Away):
            return Away(args[0].held.new_tensor(*args[1:], **kwargs))
        if func is torch.tensor and kwargs.get("device") == PLACE:
            return Away(torch.tensor(*args, **{**kwargs, "device": "cpu"}))
        if func is torch.unravel_index and isinstance(args[0], Away):
            return tuple(map(Away, func(args[0].held, *args[1:], **kwargs)))
        if func is Tensor.tolist and isinstance(args[0], Away):
            return args[0].held.tolist()
        return func(*args, **kwargs)


def run(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Run one operation on the CPU, and give its results the device that they should have."""
    given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    away = [t for t in given if isinstance(t, Away)]
    asked = kwargs.get("device")
    if away and str(func) not in _FREE:
        here = [t for t in given if not isinstance(t, Away) and t.dim() > 0]
        if here:
            raise RuntimeError(f"{func}: tensors on two devices, {PLACE} and cpu")
    target = bool(away) if asked is None else torch.device(asked) == PLACE
    if str(func) == "aten.copy_.default":
        target = isinstance(args[0], Away)
    elif asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    made = func(*tree_map(_held, args), **tree_map(_held, dict(kwargs)))
    if target and Elsewhere.single and any(_is_double(t) for t in tree_leaves(made)):
        raise TypeError(f"{func}: this device has no float64")
    if func.overloadpacket.__name__.endswith("_") and not func.overloadpacket.__name__.endswith(
        "__"
    ):
        return args[0]
    return tree_map(lambda t: Away(t) if isinstance(t, Tensor) else t, made) if target else made


def _indices(index: Any) -> Any:
    parts = index if isinstance(index, tuple) else (index,)
    made = tuple(Away(torch.tensor(part)) if isinstance(part, list) else part for part in parts)
    return made if isinstance(index, tuple) else made[0]


def _is_double(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype is torch.float64


def _held(value: Any) -> Any:
    return value.held if isinstance(value, Away) else value


def moved(network: nn.Module) -> nn.Module:
    """Bring parameters and buffers to the other device, as `network.to("cuda")` would."""
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                away = nn.Parameter(Away(parameter.detach()), parameter.requires_grad)
                module._parameters[name] = away
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = Away(buffer)
    return network


@contextmanager
def elsewhere(monkeypatch: pytest.MonkeyPatch, *, single: bool = False) -> Iterator[None]:
    """Let the other device exist; with `single` it has no float64, as Apple's."""
    autocast = torch.autocast

    def tolerant(kind: str, **options: Any) -> Any:
        return autocast("cpu" if kind == PLACE.type else kind, **options)

    monkeypatch.setattr(torch, "autocast", tolerant)
    monkeypatch.setattr(Elsewhere, "single", single)
    if single:
        monkeypatch.setattr("g3dvit_napari.models.exact_sum.WITHOUT_FLOAT64", {PLACE.type})
    with Elsewhere(), Lists():
        yield
