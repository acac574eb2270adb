"""Follows tokens from the output of a module through views, windows and layers to an attention.

Every number of a module's output is tagged with its place. What only moves numbers moves the tags
along; a linear layer makes one row of one token, and its output belongs to that token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from g3dvit_napari.models.passes.hooked import only_tensor
from g3dvit_napari.models.probing.notes import Notes
from g3dvit_napari.models.rules.operations import Operation, in_place, name_of, tensors

_MOVING = """
    T broadcast_to cat chunk concat expand expand_as flatten flip gather getitem index_select mT
    moveaxis movedim narrow permute repeat reshape reshape_as roll select split split_with_sizes
    squeeze stack swapaxes swapdims t tensor_split transpose unbind unflatten unsqueeze view view_as
    pad
"""
SAMPLE = 32  # features of each row whose places are looked at
LARGEST = 2**26  # numbers that are tagged; more are attention weights, which need no tags
_KEEPING = "to float half double bfloat16 type type_as clone contiguous detach"
_POINTWISE = """
    add sub mul div neg pow rms_norm layer_norm normalize relu gelu silu sigmoid tanh softplus exp
    sqrt rsqrt square clamp
"""
_WAYS = {
    name: way
    for way, names in (("moves", _MOVING), ("keeps", _KEEPING), ("alters", _POINTWISE))
    for name in names.split()
}


@dataclass(eq=False)
class Source:
    """A module, and the shape of what leaves or enters it.

    features
        The axis of the features, once a layer has read along it.
    open
        Whether what enters the module can still be changed for all who read it: until it ends.
    """

    name: str
    shape: tuple[int, ...]
    entering: bool
    features: int | None = None
    open: bool = True

    def tokens(self, places: Tensor) -> Tensor | None:
        """Return the token (... ), counted from 1, that each row (... d) of places is taken from.

        0 where nothing was (padding). None when a row is not of one token.
        """
        step = max(1, places.shape[-1] // SAMPLE)
        rows = places[..., ::step].reshape(-1, places[..., ::step].shape[-1])
        real = rows[:, 0] > 0
        if rows.shape[1] < 2 or not real.any() or ((rows > 0) != real[:, None]).any():
            return None
        axis = self._axis_along(rows[real][0])
        if axis is None or self.features not in (None, axis):
            return None
        self.features = axis
        inner = 1
        for length in self.shape[axis + 1 :]:
            inner *= length
        place = rows - 1
        token = place // (inner * self.shape[axis]) * inner + place % inner
        if (token != token[:, :1]).any():
            return None
        return torch.where(real, token[:, 0] + 1, 0).reshape(places.shape[:-1])

    def _axis_along(self, row: Tensor) -> int | None:
        """Return the only axis along which the places of a row differ."""
        coordinates = torch.unravel_index(row.long() - 1, self.shape)
        axes = [a for a, along in enumerate(coordinates) if (along != along[0]).any()]
        return axes[0] if len(axes) == 1 else None


@dataclass(frozen=True, eq=False)
class Tag:
    """Where each number of a tensor comes from, counted from 1; 0 where from nowhere."""

    source: Source
    index: Tensor


class Trace(TorchFunctionMode):
    """Inside, tensors carry tags. To be entered before `Tape`, with `watching` the network.

    runs
        How often each module was run.
    running
        The modules that are running.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[str, int] = {}
        self.running: list[str] = []
        self._places: Notes[Tag] = Notes()  # of a module's output
        self._tokens: Notes[Tag] = Notes()  # behind a linear layer
        self._entered: dict[str, Source] = {}

    def tokens(self, tensor: Tensor) -> Tag | None:
        """Return which token each row (... ) of queries, keys or values (... d) was made of."""
        tag = self._tokens.get(tensor)
        if tag is None or (tag.index != tag.index[..., :1]).any():
            return None
        return Tag(tag.source, tag.index[..., 0])

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Tag what enters and leaves every module."""
        with ExitStack() as stack:
            for name, module in network.named_modules():
                if name:
                    enter, leave = partial(self._enter, name), partial(self._leave, name)
                    stack.callback(module.register_forward_pre_hook(enter).remove)
                    stack.callback(module.register_forward_hook(leave).remove)
            yield

    def _enter(self, name: str, _module: nn.Module, inputs: Any) -> None:
        self.running.append(name)
        first = only_tensor(inputs)
        if first is not None and self._placed(first) is None:
            self._entered[name] = self._tag(first, name, entering=True)

    def _leave(self, name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        self.running.remove(name)
        self.runs[name] = self.runs.get(name, 0) + 1
        if name in self._entered:
            self._entered.pop(name).open = False
        first = only_tensor(output)
        if first is not None and self._placed(first) is None:
            self._tag(first, name, entering=False)

    def _placed(self, tensor: Tensor) -> Tag | None:
        tag = self._places.get(tensor)
        return tag if tag is not None and tag.source.open else None

    def _tag(self, tensor: Tensor, name: str, *, entering: bool) -> Source:
        source = Source(name, tuple(tensor.shape), entering)
        if tensor.ndim > 2 and tensor.is_floating_point() and tensor.numel() <= LARGEST:
            index = torch.arange(1, tensor.numel() + 1, dtype=torch.int32, device=tensor.device)
            self._places[tensor] = Tag(source, index.reshape(tensor.shape))
        return source

    def __torch_function__(
        self,
        func: Operation,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation, and tag what it returns."""
        named = dict(kwargs or {})
        out = func(*args, **named)
        name = called(func)
        if _WAYS.get(name) == "keeps":
            self._kept(args, out)
        elif _WAYS.get(name) == "moves":
            for tags in (self._places, self._tokens):
                _moved(tags, func, args, named, out)
        elif name == "setitem":
            self._places.drop(args[0])
            self._tokens.drop(args[0])
        elif isinstance(out, Tensor):
            self._computed(name, args, out, written=in_place(func))
        return out

    def _kept(self, args: tuple[Any, ...], out: Any) -> None:
        for tags in (self._places, self._tokens):
            if args and (tag := tags.get(args[0])) is not None:
                tags[out] = tag

    def _computed(self, name: str, args: tuple[Any, ...], out: Tensor, *, written: bool) -> None:
        each_alone = _WAYS.get(name) == "alters" and not self._strangers(args, out)
        tag = self._pointwise(args, out) if each_alone else None
        if tag is None and (layer := _rows_read(name, args)) is not None:
            tag = self._read(layer[0], layer[1], out)
        if tag is not None:
            self._tokens[out] = tag
        elif written:
            self._tokens.drop(out)
        if written and not each_alone:
            self._places.drop(out)

    def _strangers(self, args: tuple[Any, ...], out: Tensor) -> bool:
        """Whether numbers of no known token, as many as there are results, come in."""
        return any(
            t is not out and t not in self._tokens and _numbers(t) >= out.numel()
            for t in tensors(args)
        )

    def _pointwise(self, args: tuple[Any, ...], out: Tensor) -> Tag | None:
        """Return the tag of numbers that were changed each on its own."""
        known = [tag for t in tensors(args) if (tag := self._tokens.get(t)) is not None]
        if not known or known[0].index.shape != out.shape:
            return None
        first, *others = known
        same = (t.source is first.source and torch.equal(t.index, first.index) for t in others)
        return first if all(same) else None

    def _read(self, given: Tensor, axis: int, out: Tensor) -> Tag | None:
        """Return the tag of a layer's output that has one row per row of its input."""
        rows: Tensor | None = None
        if (tag := self._placed(given)) is not None:
            rows = tag.source.tokens(tag.index.movedim(axis, -1))
        elif (tag := self._tokens.get(given)) is not None:
            index = tag.index.movedim(axis, -1)
            rows = None if (index != index[..., :1]).any() else index[..., 0]
        if tag is None or rows is None or out.movedim(axis, -1).shape[:-1] != rows.shape:
            return None
        return Tag(tag.source, rows.unsqueeze(axis).expand(out.shape))


def _numbers(tensor: Tensor) -> int:
    """Return how many numbers a tensor has of its own, not counting those made by `expand`."""
    count = 1
    for length, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= length if stride else 1
    return count


def called(func: Operation) -> str:
    """Return what an operation is called; of an attribute, such as `x.mT`, its name."""
    if getattr(func, "__name__", "") == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", ""))
    return name_of(func)


def _rows_read(name: str, args: tuple[Any, ...]) -> tuple[Tensor, int] | None:
    """Return what a layer reads row by row, and the axis along which it does."""
    if name == "addmm":
        args = args[1:]
    if name in {"linear", "matmul", "addmm", "mm"} and len(args) > 1:
        given, weight = args[0], args[1]
        two = isinstance(weight, Tensor) and weight.ndim == 2
        return (given, -1) if two and isinstance(given, Tensor) else None
    if name in {"conv1d", "conv2d", "conv3d"} and all(n == 1 for n in args[1].shape[2:]):
        return args[0], 1
    return None


def _moved(
    tags: Notes[Tag],
    func: Operation,
    args: tuple[Any, ...],
    named: dict[str, Any],
    out: Any,
) -> None:
    """Move tags as an operation moved the numbers."""
    if (name := name_of(func)) == "view":  # tags need not lie in memory as the numbers do
        func = Tensor.reshape
    elif name.endswith("_as"):  # the second one gives its shape alone
        func, args = Tensor.expand if name == "expand_as" else Tensor.reshape, (args[0], out.shape)
    known = [tags.get(tensor) for tensor in tensors(args)]
    sources = {tag.source for tag in known if tag is not None}
    if len(sources) != 1:
        return
    try:
        moved = func(*_indices(tags, args), **named)
    except (_Stranger, RuntimeError, TypeError):  # then the trace is lost, and nothing worse
        return
    (source,) = sources
    pairs = [(out, moved)] if isinstance(out, Tensor) else zip(out, moved, strict=True)
    for tensor, index in pairs:
        if tensor.shape == index.shape:
            tags[tensor] = Tag(source, index)


class _Stranger(Exception):
    """Numbers from elsewhere were put beside tagged ones."""


def _indices(tags: Notes[Tag], value: Any) -> Any:
    """Replace tagged tensors by their indices; zeros, which pad, come from nowhere."""
    if isinstance(value, tuple | list):
        return type(value)(_indices(tags, each) for each in value)
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    if (tag := tags.get(value)) is not None:
        return tag.index
    if value.any():
        raise _Stranger
    return torch.zeros(value.shape, dtype=torch.int32, device=value.device)
