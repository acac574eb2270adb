"""How a linear layer or a convolution splits the relevance of its outputs among its inputs.

Layer-wise relevance propagation (Bach et al., 2015) in the form of a gradient g: relevance is value
times gradient, so that all other layers need nothing but their own gradient. An output z = W x + b
of relevance R = z g gives input i the part x_i W'_i R / (W' x + b'), where W' and b' are W and b,
or those parts of them that the rule favours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor

Kind = Literal["epsilon", "gamma", "z_plus", "alpha_beta"]
Given = tuple[Tensor, Tensor, Tensor | None]  # a layer's input, weight and bias
Layer = Callable[[Tensor, Tensor, Tensor | None], Tensor]
Account = Callable[[Tensor, Tensor], None]  # of the gradient at a sum and the bias added to it


@dataclass(frozen=True)
class Term:
    """The inputs of one sign (0: all), and the weight and bias W', b' they are seen through."""

    sign: int
    weight: Tensor
    bias: Tensor | None = None

    def inputs(self, x: Tensor) -> Tensor:
        """Return the inputs of this sign, zero elsewhere."""
        return x if self.sign == 0 else part(x, self.sign)

    def among(self, gradient: Tensor, x: Tensor) -> Tensor:
        """Return a gradient where the inputs have this sign, zero elsewhere."""
        if self.sign == 0:
            return gradient
        return torch.where(x < 0 if self.sign < 0 else x >= 0, gradient, 0)


@dataclass(frozen=True)
class Group:
    """Terms that share `factor` times the relevance of the outputs of one sign (0: of all)."""

    terms: tuple[Term, ...]
    outputs: int = 0
    factor: float = 1.0


@dataclass(frozen=True)
class Split:
    """A rule of relevance propagation.

    kind
        "epsilon": in proportion to x_i W_i, whose sum is made larger by ε. "gamma": the parts of
        the output's own sign count 1 + γ times. "z_plus": in proportion to the positive x_i W_i
        alone; a bias gets nothing. "alpha_beta": α times in proportion to the positive x_i W_i and
        b, 1 - α times to the negative ones.
    amount
        ε, γ or α.
    """

    kind: Kind
    amount: float = 0.0

    def groups(self, weight: Tensor, bias: Tensor | None) -> tuple[Group, ...]:
        """Return who shares what."""
        if self.kind == "epsilon":
            return (Group((Term(0, weight, bias),)),)
        if self.kind == "z_plus":
            return (Group(_towards(1, part, weight, None)),)
        if self.kind == "alpha_beta":
            sides = ((1, self.amount), (-1, 1 - self.amount))
            return tuple(Group(_towards(s, part, weight, bias), 0, f) for s, f in sides if f)
        return tuple(Group(_towards(s, self._favoured, weight, bias), s) for s in (1, -1))

    def _favoured(self, weight: Tensor, sign: int) -> Tensor:
        return weight + self.amount * part(weight, sign)

    def stabilised(self, whole: Tensor) -> Tensor:
        """Return what relevance is divided by."""
        if self.kind != "epsilon":
            return whole
        return whole + self.amount * torch.where(whole < 0, -1.0, 1.0).to(whole)


def part(x: Tensor, sign: int) -> Tensor:
    """Return the positive (1) or negative (-1) part."""
    return x.clamp(min=0) if sign > 0 else x.clamp(max=0)


def _towards(
    sign: int, seen: Callable[[Tensor, int], Tensor], weight: Tensor, bias: Tensor | None
) -> tuple[Term, Term]:
    """Return the terms that favour outputs of a sign; negative inputs see the mirrored weights."""
    return (
        Term(1, seen(weight, sign), None if bias is None else seen(bias, sign)),
        Term(-1, seen(weight, -sign)),
    )


def split(
    rule: Split,
    layer: Layer,
    given: Given,
    account: Account,
    value: Callable[[], Tensor],
) -> Tensor:
    """Return the value of a layer, with a gradient that follows a rule.

    Parameters
    ----------
    rule
        The rule.
    layer
        The layer as a function, linear in its input.
    given
        Its input, weight and bias.
    account
        Told, on the way back, what the biases get.
    value
        Computes the value itself, a new tensor.
    """
    return cast(Tensor, _Splitting.apply(rule, layer, account, value, *given))  # type: ignore[no-untyped-call]


class _Splitting(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, rule: Split, layer: Layer, account: Account, value: Callable[[], Tensor],
        *given: Tensor | None,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(*given)
        ctx.rule, ctx.layer, ctx.account = rule, layer, account
        return value()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, weight, bias = ctx.saved_tensors
        x, rule = x.detach(), ctx.rule
        z = ctx.layer(x, weight, bias)
        found = torch.zeros_like(x)
        for group in rule.groups(weight, bias):
            relevance = group.factor * gradients[0] * z
            if group.outputs:
                relevance = part(z.sign() * group.outputs, 1) * relevance
            found += _shared(group, rule, ctx.layer, x, relevance, ctx.account)
        return None, None, None, None, found, None, None


def _shared(
    group: Group, rule: Split, layer: Layer, x: Tensor, relevance: Tensor, account: Account
) -> Tensor:
    """Return what one group gives to the inputs, as a gradient."""
    terms = [term for term in group.terms if term.sign >= 0 or (x < 0).any()]
    with torch.enable_grad():
        inputs = [term.inputs(x).detach().requires_grad_() for term in terms]
        sums = [layer(i, t.weight, t.bias) for i, t in zip(inputs, terms, strict=True)]
    whole = rule.stabilised(torch.stack([s.detach() for s in sums]).sum(0))
    each = torch.where(whole == 0, 0, relevance / whole)
    found = torch.zeros_like(x)
    for term, given, total in zip(terms, inputs, sums, strict=True):
        if term.bias is not None:
            account(each, term.bias)
        found += term.among(torch.autograd.grad(total, given, each)[0], x)
    return found
