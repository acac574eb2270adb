"""Backward rules: a network gives its own values, but gradients that follow other rules.

Input times gradient is an exact share of the result where a network is an affine function of its
input. Norms, gates and attention are none; held constant on the way back they become factors, and
Σ z·∇z + Σ bias·∇bias = result (Ali et al., 2022; Mehri et al., LibraGrad, 2025).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, Protocol

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.rules.backward import BACKWARD
from g3dvit_napari.models.rules.operations import (
    JOINING,
    LINEAR,
    Operation,
    active,
    composed,
    in_place,
    name_of,
    offset,
    tensors,
)
from g3dvit_napari.models.rules.splitting import Given, Layer, Split, split


@dataclass(frozen=True)
class Rules:
    """What is held constant on the way back, besides the standard deviation of every norm.

    gates
        Whether the gate of an activation x · gate(x) is, such as Φ of GELU.
    attention
        "constant": attention weights are. "shared": they carry relevance as well (Achtibat et al.,
        AttnLRP, 2024).
    linear, convolution
        How these layers split relevance; None: by their own gradient.
    """

    gates: bool = True
    attention: Literal["constant", "shared"] = "constant"
    linear: Split | None = None
    convolution: Split | None = None


LIBRA = Rules()


class Books(Protocol):
    """Hears, on the way back, of everything that was added to an activation."""

    def add(self, stage: int, gradient: Tensor, added: Tensor, axis: int | None) -> None:
        """Hear of one addition.

        Parameters
        ----------
        stage
            Where the mode was when it was made.
        gradient
            The gradient at the sum.
        added
            A bias along the gradient's `axis`; or, when that is None, of the gradient's shape.
        axis
            The axis of the features, 1 or -1.
        """
        ...


@dataclass(frozen=True, eq=False)
class LayerCall:
    """A layer that was run: how it splits relevance, what it computes, and of what."""

    out: Tensor
    rule: Split
    layer: Layer
    given: Given


class Ruled(TorchFunctionMode):
    """Inside, what is recorded follows the rules, and operations without a rule are refused.

    They are refused on the way back, so only where a gradient really meets them: what leads to
    attention weights that are held constant may be anything.

    rules
        The rules.
    stage
        Told to the books with everything that is added from now on.
    books
        Hears of what was added, on the way back; may be changed between two ways back.
    """

    def __init__(self, rules: Rules, stage: int = 0) -> None:
        super().__init__()
        self.rules, self.stage = rules, stage
        self.books: Books | None = None
        self.last: LayerCall | None = None

    def __torch_function__(
        self,
        func: Operation,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation under its rule."""
        named = dict(kwargs or {})
        if "input" in named:  # torch's name of the first argument, by which few call it
            args = (named.pop("input"), *args)
        if body := composed(func):
            with self:
                return body(*args, **named)
        name = name_of(func)
        if not (torch.is_grad_enabled() and active(args, named)) or name in LINEAR:
            return func(*args, **named)
        if rule := BACKWARD.get(name):
            return rule(self, func, *args, **named)
        added = offset(func, args, named) if name in JOINING else None
        out = func(*args, **named)
        changed = args[0] if in_place(func) else out
        if name in JOINING:
            self.noted(changed, added)
        else:
            self.refused(changed, name)
        return out

    def noted(self, out: Tensor, added: Tensor | None, axis: int | None = None) -> Tensor:
        """Remember what was added, to account for it on the way back."""
        if added is not None:
            account = self._account(axis)
            out.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient: account(gradient, added)
            )
        return out

    def refused(self, out: Any, what: str) -> Any:
        """Fail when a gradient comes through."""

        def refuse(_: Tensor) -> NoReturn:
            raise MethodError(
                f"no backward rule is known for {what}, which this network computes; choose "
                "another method"
            )

        for tensor in tensors(out):
            if tensor.requires_grad:
                tensor.register_hook(refuse)  # type: ignore[no-untyped-call]
        return out

    def layer(self, layer: Layer, given: Given, axis: int, rule: Split | None) -> Tensor:
        """Run a linear layer or a convolution; `axis` is that of its output's features."""
        if rule is None:
            return self.noted(layer(*given), given[2], axis)
        return self.split(layer, given, axis, rule, lambda: layer(*given))

    def split(
        self, layer: Layer, given: Given, axis: int, rule: Split, value: Callable[[], Tensor]
    ) -> Tensor:
        """Run a layer of known value whose relevance is split by a rule."""
        out = split(rule, layer, given, self._account(axis), value)
        self.last = LayerCall(out, rule, layer, given)
        return out

    def _account(self, axis: int | None) -> Callable[[Tensor, Tensor], None]:
        stage = self.stage

        def account(gradient: Tensor, added: Tensor) -> None:
            if self.books is not None:
                self.books.add(stage, gradient, added, axis)

        return account
