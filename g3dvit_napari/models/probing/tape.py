"""Hears every attention of a network while it runs, whatever code computes it.

An attention is a fused call of torch's, or a softmax whose result is multiplied with values; its
scores are followed back to a product of queries and keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from g3dvit_napari.models.attention.attention import AttentionLayer
from g3dvit_napari.models.probing.anatomy import Site
from g3dvit_napari.models.probing.notes import Notes
from g3dvit_napari.models.probing.scores import Scores, scores_of, values_of
from g3dvit_napari.models.rules.operations import Operation, in_place, name_of

_PRODUCTS = {"matmul", "bmm"}
_VIEWS = {"view", "reshape", "unsqueeze", "squeeze", "flatten", "unflatten", "view_as"}
_FUSED = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
_COPIES = {"to", "float", "half", "double", "bfloat16", "type", "type_as", "clone", "contiguous"}

# Of what an attention gives, by how much it may differ when computed again, however it was rounded.
TOLERANCE, ROUNDINGS = 1e-3, 8


@dataclass(frozen=True, eq=False)
class AttentionCall:
    """One attention as it was run: o = softmax(S) v.

    scores
        S.
    v
        The values (... m e).
    out
        What went on in the network.
    order
        The order of axes that makes o (... n e) of it.
    fused
        Whether torch computed it in one piece.
    """

    scores: Scores
    v: Tensor
    out: Tensor
    order: tuple[int, ...]
    fused: bool = False

    @property
    def mixed(self) -> Tensor:
        """Return o (... n e)."""
        return self.out.permute(self.order)

    def in_windows(self, values: Tensor, windows: int) -> Tensor:
        """Return queries, keys or values (... n e) as (g h n e)."""
        lead = self.mixed.shape[:-2]
        if values.ndim == self.mixed.ndim:
            values = values.expand(*lead, -1, -1)  # heads may share keys
        return values.reshape(windows, -1, *values.shape[-2:])

    def layer(self, site: Site, windows: Tensor | None) -> AttentionLayer:
        """Return the attention as methods see it, without a graph."""
        count = 1 if windows is None else len(windows)
        scores = self.scores
        q, k, v = (self.in_windows(t.detach(), count) for t in (scores.q, scores.k, self.v))
        bias = self._bias(q, k)
        return AttentionLayer(
            site, q, k, v, scores.scale, windows, None if bias is None else bias.detach()
        )

    def without_weights(self) -> Tensor:
        """Return what goes on in the network, with a graph that holds no weights (n m).

        Where it is not the same, as when weights were written into, it stays as it is.
        """
        if self.fused or not (self.scores.traced and self.out.requires_grad):
            return self.out
        windows = self.mixed.shape[:-3].numel()
        given = (self.scores.q, self.scores.k, self.v)
        q, k, v = (self.in_windows(tensor, windows) for tensor in given)
        mixed = F.scaled_dot_product_attention(
            q, k, v, self._bias(q, k), scale=self.scores.scale
        ).reshape(self.mixed.shape)
        same = same_attention(mixed, self.mixed)
        order = [self.order.index(axis) for axis in range(mixed.ndim)]
        return mixed.permute(order) if same else self.out

    def _bias(self, q: Tensor, k: Tensor) -> Tensor | None:
        """Return the bias, to be broadcast to (g h n m)."""
        bias = self.scores.bias()
        if bias is None:
            return None
        wanted = (*q.shape[:3], k.shape[2])
        full = self.scores.terms[0].shape
        if bias.ndim == 4 and full[:2] == wanted[:2]:
            return bias
        return bias.expand(*full).reshape(*wanted)


def same_attention(again: Tensor, given: Tensor) -> bool:
    """Whether an attention computed in another way gives the same, however it was rounded."""
    tolerance = max(TOLERANCE, ROUNDINGS * torch.finfo(given.dtype).eps)
    error = (again.detach() - given.detach()).abs().max()
    return bool(error <= tolerance * given.detach().abs().max())


Hear = Callable[[AttentionCall], Tensor]


class Tape(TorchFunctionMode):
    """Inside, every attention is told to `hear`; what that returns goes on in place of `out`.

    To be entered before `Steady`, which takes apart what torch has in one piece.

    missed
        How many softmaxes over keys went on to something else than a product with values.
    """

    def __init__(self, hear: Hear) -> None:
        super().__init__()
        self._hear, self.missed = hear, 0
        self._scores: Notes[Scores] = Notes()
        self._weights: Notes[Scores] = Notes()

    def __torch_function__(
        self,
        func: Operation,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation."""
        named = dict(kwargs or {})
        out = func(*args, **named)
        if not isinstance(out, Tensor):
            return out
        name = name_of(func)
        if name == "scaled_dot_product_attention":
            return self._fused(out, dict(zip(_FUSED, args, strict=False)) | named)
        heard = self._mixed(name, args, out)
        if heard is not None:
            return heard
        self._follow(name, args, named, out, written=in_place(func))
        return out

    def _follow(
        self, name: str, args: tuple[Any, ...], named: dict[str, Any], out: Tensor, *, written: bool
    ) -> None:
        """Note what the result of an operation is, or that it is nothing known any more."""
        scores = _made(name, args) if name in _PRODUCTS | {"einsum", "baddbmm"} else None
        weights = None
        first = next((a for a in args if isinstance(a, Tensor)), None)
        if first is not None:
            known = self._scores.get(first)
            if name == "softmax":
                weights = _softmax(known, first, args, named)
                self.missed += weights is not None
            elif name in _VIEWS | _COPIES:
                weights = self._weights.get(first)
                scores = None if known is None else _viewed(known, first, out)
            else:
                scores = scores or self._changed(name, args, named, out)
        for notes, note in ((self._scores, scores), (self._weights, weights)):
            if note is not None:
                notes[out] = note
            elif written:
                notes.drop(out)

    def _changed(
        self, name: str, args: tuple[Any, ...], named: dict[str, Any], out: Tensor
    ) -> Scores | None:
        """Return what scores become by arithmetic."""
        if name == "where" and len(args) == 3 and (known := self._scores.get(args[1])):
            return known.filled(~args[0], args[2], out.shape)
        if named or len(args) < 2:  # such as add(..., alpha=2)
            return None
        if (known := self._scores.get(args[0])) is None:
            turned = self._scores.get(args[1]) if name in {"add", "mul"} else None
            return None if turned is None else _arithmetic(name, turned, args[0], out)
        if name == "masked_fill" and len(args) == 3:
            return known.filled(args[1], args[2], out.shape)
        return _arithmetic(name, known, args[1], out)

    def _mixed(self, name: str, args: tuple[Any, ...], out: Tensor) -> Tensor | None:
        """Hear of attention weights that are multiplied with values."""
        if name == "einsum":
            equation, pair = _einsum(args)
        elif name in _PRODUCTS and len(args) > 1:
            equation, pair = "...nm,...me->...ne", args[:2]
        else:
            return None
        held = [(t, note) for t in pair if (note := self._weights.get(t)) is not None]
        if len(pair) != 2 or len(held) != 1:
            return None
        ((weights, scores),) = held
        found = values_of(equation, *pair, weights)
        if found is None:
            return None
        self.missed -= 1
        return self._hear(AttentionCall(scores, found[0], out, found[1]))

    def _fused(self, out: Tensor, given: dict[str, Any]) -> Tensor:
        """Hear of torch's own attention."""
        q, k, v = given["query"], given["key"], given["value"]
        if given.get("enable_gqa"):
            k, v = (t.repeat_interleave(q.shape[-3] // t.shape[-3], -3) for t in (k, v))
        scale = given.get("scale")
        scores = Scores(q, k, q.shape[-1] ** -0.5 if scale is None else scale)
        shape = (*out.shape[:-1], k.shape[-2])
        if (mask := _mask(given, shape)) is not None:
            scores = scores.plus(mask, shape)
        return self._hear(AttentionCall(scores, v, out, tuple(range(out.ndim)), fused=True))


def _mask(given: dict[str, Any], shape: Sequence[int]) -> Tensor | None:
    """Return what torch's own attention adds to the scores."""
    mask: Tensor | None = given.get("attn_mask")
    if given.get("is_causal"):
        mask = torch.ones(shape[-2:], dtype=torch.bool, device=given["query"].device).tril()
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=given["query"].dtype).masked_fill(~mask, -torch.inf)


def _einsum(args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Return the equation and the operands, which torch takes in a list or one by one."""
    if not args or not isinstance(args[0], str):
        return "", ()
    operands = args[1] if len(args) == 2 and isinstance(args[1], list | tuple) else args[1:]
    return args[0], tuple(operands)


def _made(name: str, args: tuple[Any, ...]) -> Scores | None:
    """Return what a product may be: queries times keys, if a softmax follows."""
    if name == "einsum":
        equation, pair = _einsum(args)
        return scores_of(equation, *pair) if len(pair) == 2 else None
    if len(args) < 2 or not all(isinstance(t, Tensor) and t.ndim > 2 for t in args[-2:]):
        return None
    left, right = args[-2:]
    scores = Scores(left, right.mT)
    if name == "baddbmm":
        return scores.plus(args[0], (*left.shape[:-1], right.shape[-1]))
    return scores


def _arithmetic(name: str, known: Scores, other: Any, out: Tensor) -> Scores | None:
    if name == "mul":
        return known.times(other)
    if name == "div":
        return known.times(1 / other)
    if name in {"add", "sub"}:
        return known.plus(other, out.shape, 1 if name == "add" else -1)
    return None


def _softmax(
    known: Scores | None, scores: Tensor, args: tuple[Any, ...], named: dict[str, Any]
) -> Scores | None:
    """Return the scores behind attention weights; None when it is no softmax over keys."""
    axis = named.get("dim", args[1] if len(args) > 1 else None)
    if scores.ndim < 3 or axis not in (-1, scores.ndim - 1):
        return None
    if known is not None and _rows(known) == scores.shape[-2:]:
        return known
    return Scores.untraced(scores) if scores.shape[-1] == scores.shape[-2] else None


def _rows(scores: Scores) -> tuple[int, int]:
    return scores.q.shape[-2], scores.k.shape[-2]


def _viewed(known: Scores, before: Tensor, after: Tensor) -> Scores:
    return known if before.shape == after.shape else known.reshaped(after.shape)
