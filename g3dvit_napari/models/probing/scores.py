"""Attention scores, followed from the product of queries and keys to the softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Scores:
    """What a softmax over keys gets: S = scale · q kᵀ + Σ terms.

    q, k
        (... n e) and (... m e).
    scale
        A factor.
    terms
        Biases and masks, each expanded to the shape that the scores have at the time.
    traced
        Whether q and k are known; else they are zeros and the scores are the one term.
    """

    q: Tensor
    k: Tensor
    scale: float = 1.0
    terms: tuple[Tensor, ...] = ()
    traced: bool = True

    @classmethod
    def untraced(cls, scores: Tensor) -> Scores:
        """Return scores (... n m) of which it is not known how they were made."""
        nothing = scores.new_zeros(()).expand(*scores.shape[:-1], 1)
        keys = scores.new_zeros(()).expand(*scores.shape[:-2], scores.shape[-1], 1)
        return cls(nothing, keys, terms=(scores,), traced=False)

    def times(self, factor: Any) -> Scores | None:
        """Return the scores times a number, or times a tensor with one number per row."""
        if (number := _number(factor)) is not None:
            terms = tuple(term * number for term in self.terms)
            return replace(self, scale=self.scale * number, terms=terms)
        if self.terms or not _one_per_row(factor, self.q):
            return None
        return replace(self, q=self.q * factor)

    def plus(self, term: Any, shape: Sequence[int], sign: int = 1) -> Scores:
        """Return the scores plus a term; `shape` is that of the sum."""
        if not isinstance(term, Tensor):
            return self  # the same for all keys: softmax does not see it
        terms = (*self.terms, term if sign > 0 else -term)
        return replace(self, terms=tuple(each.expand(*shape) for each in terms))

    def filled(self, mask: Tensor, value: Any, shape: Sequence[int]) -> Scores | None:
        """Return the scores with a very low value where the mask holds."""
        if (number := _number(value)) is None or number > -1e3:
            return None
        term = torch.zeros_like(mask, dtype=self.q.dtype).masked_fill(mask, number)
        return self.plus(term, shape)

    def reshaped(self, shape: Sequence[int]) -> Scores:
        """Return the same scores in another shape; their order in memory stays."""
        return replace(self, terms=tuple(term.reshape(*shape) for term in self.terms))

    def bias(self) -> Tensor | None:
        """Return the sum of the terms, of size one along every axis on which it does not depend."""
        total: Tensor | None = None
        for term in map(_narrow, self.terms):
            total = term if total is None else total + term
        return total


def _number(value: Any) -> float | None:
    if isinstance(value, Tensor):
        return float(value) if value.numel() == 1 else None
    return float(value) if isinstance(value, int | float) else None


def _one_per_row(factor: Any, q: Tensor) -> bool:
    if not isinstance(factor, Tensor) or factor.ndim > q.ndim or factor.shape[-1] != 1:
        return False
    pairs = zip(reversed(factor.shape), reversed(q.shape), strict=False)
    return all(one in (1, other) for one, other in pairs)


def _narrow(term: Tensor) -> Tensor:
    """Undo `expand`."""
    for axis, stride in enumerate(term.stride()):
        if stride == 0:
            term = term.narrow(axis, 0, 1)
    return term


def scores_of(equation: str, left: Tensor, right: Tensor) -> Scores | None:
    """Return the scores that an einsum of queries and keys computes; None when it does not."""
    labels = _labels(equation, left, right)
    if labels is None or len(labels[2]) < 2:
        return None
    one, other, out = labels
    batch, row, column = out[:-2], out[-2], out[-1]
    if row in other:
        (one, left), (other, right) = (other, right), (one, left)
    summed = (set(one) & set(other)) - set(out)
    if len(summed) != 1:
        return None
    (feature,) = summed
    wanted = [f"{batch}{row}{feature}", f"{batch}{column}{feature}"]
    if sorted(one) != sorted(wanted[0]) or sorted(other) != sorted(wanted[1]):
        return None
    return Scores(_permuted(left, one, wanted[0]), _permuted(right, other, wanted[1]))


def values_of(
    equation: str, left: Tensor, right: Tensor, weights: Tensor
) -> tuple[Tensor, tuple[int, ...]] | None:
    """Return the values (... m e) that an einsum mixes with attention weights (... n m).

    Also the order of axes that brings its output to (... n e). None when it does something else.
    """
    labels = _labels(equation, left, right)
    if labels is None:
        return None
    one, other, out = labels
    if right is weights:
        one, other, right = other, one, left
    batch, row, column = one[:-2], one[-2], one[-1]
    feature = set(other) - set(one)
    if len(feature) != 1 or column in out:
        return None
    (e,) = feature
    if sorted(other) != sorted(f"{batch}{column}{e}") or sorted(out) != sorted(f"{batch}{row}{e}"):
        return None
    order = tuple(out.index(label) for label in f"{batch}{row}{e}")
    return _permuted(right, other, f"{batch}{column}{e}"), order


def _labels(equation: str, left: Tensor, right: Tensor) -> tuple[str, str, str] | None:
    """Return the axes' letters of both operands and of the result, dots written out."""
    inputs, arrow, out = equation.replace(" ", "").partition("->")
    parts = inputs.split(",")
    if not arrow or len(parts) != 2:
        return None
    pairs = zip(parts, (left.ndim, right.ndim), strict=True)
    dots = {ndim - len(part) + 3 for part, ndim in pairs if "..." in part}
    if len(dots) > 1:
        return None
    spare = "".join(chr(0x3B1 + n) for n in range(max(dots, default=0)))  # no letter of theirs
    one, other, result = (part.replace("...", spare) for part in (*parts, out))
    return one, other, result


def _permuted(tensor: Tensor, labels: str, wanted: str) -> Tensor:
    return tensor.permute([labels.index(label) for label in wanted])
