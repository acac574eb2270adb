"""How a linear layer or a convolution splits the relevance of its outputs among its inputs.

Layer-wise relevance propagation (Bach et al., 2015) in the form of a gradient g: relevance is value
times gradient, R = z g, so that all other layers need nothing but their own gradient. An output
z = Σ_i x_i w_i + b is the sum of its positive parts, z⁺ = Σ_i (x_i w_i)⁺ + b⁺, and its negative
ones, z⁻; the rules differ in how much of R goes to which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor

Kind = Literal["epsilon", "gamma", "z_plus", "alpha_beta"]
Part = Literal["all", "positive", "negative"]
Given = tuple[Tensor, Tensor, Tensor | None]  # a layer's input, weight and bias
Layer = Callable[[Tensor, Tensor, Tensor | None], Tensor]
Account = Callable[[Tensor, Tensor], None]  # of the gradient at a sum and the bias added to it

_PARTS: Mapping[Kind, tuple[Part, ...]] = {
    "epsilon": ("all",),
    "gamma": ("all", "positive", "negative"),
    "z_plus": ("positive",),
    "alpha_beta": ("positive", "negative"),
}


@dataclass(frozen=True)
class Split:
    """A rule of relevance propagation: what an output hands out, in proportion to its parts.

    kind
        "epsilon": R / (z + ε sign z) to all parts. "gamma": the same with parts of z's own sign
        counted 1 + γ times. "z_plus": R / z⁺ to the positive parts; the bias is none of them.
        "alpha_beta": α R / z⁺ to the positive parts and (1 - α) R / z⁻ to the negative ones.
    amount
        ε, γ or α.
    """

    kind: Kind
    amount: float = 0.0

    def gradients(self, relevance: Tensor, sums: Mapping[Part, Tensor]) -> dict[Part, Tensor]:
        """Return the gradient at each sum of parts, given their values and the relevance."""
        if self.kind == "z_plus":
            return {"positive": _quotient(relevance, sums["positive"])}
        if self.kind == "alpha_beta":
            return {
                "positive": self.amount * _quotient(relevance, sums["positive"]),
                "negative": (1 - self.amount) * _quotient(relevance, sums["negative"]),
            }
        z = sums["all"]
        if self.kind == "epsilon":
            larger = z + self.amount * torch.where(z < 0, -1.0, 1.0).to(z)
            return {"all": _quotient(relevance, larger)}
        own = torch.where(z > 0, sums["positive"], sums["negative"])
        each = _quotient(relevance, z + self.amount * own)
        more = self.amount * each
        return {
            "all": each,
            "positive": torch.where(z > 0, more, 0),
            "negative": torch.where(z > 0, 0, more),
        }


def split(
    rule: Split, layer: Layer, given: Given, account: Account, value: Callable[[], Tensor]
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
        rule, layer, leaf = ctx.rule, ctx.layer, x.detach().requires_grad_()
        parts = _PARTS[rule.kind]
        biases = {part: None if rule.kind == "z_plus" else _of_sign(bias, part) for part in parts}
        with torch.enable_grad():
            sums = _sums(layer, leaf, weight, biases)
        values = {part: total.detach() for part, total in sums.items()}
        z = values["all"] if "all" in values else layer(x, weight, bias)
        at = rule.gradients(gradients[0] * z, values)
        for part, bias in biases.items():
            if bias is not None:
                ctx.account(at[part], bias)
        (found,) = torch.autograd.grad([sums[part] for part in at], leaf, list(at.values()))
        return None, None, None, None, found, None, None


def _sums(
    layer: Layer, x: Tensor, weight: Tensor, biases: Mapping[Part, Tensor | None]
) -> dict[Part, Tensor]:
    """Return the sums of the parts x_i w_i that are asked for, each with its bias."""
    if "positive" not in biases:
        return {"all": layer(x, weight, biases["all"])}
    up, down = weight.clamp(min=0), weight.clamp(max=0)
    weights: dict[Part, tuple[Tensor, Tensor]] = {"positive": (up, down), "negative": (down, up)}
    above, below = x.clamp(min=0), x.clamp(max=0) if (x < 0).any() else None
    found: dict[Part, Tensor] = {}
    for part, bias in biases.items():
        if part == "all":
            found[part] = layer(x, weight, bias)
            continue
        same, other = weights[part]
        found[part] = layer(above, same, bias)
        if below is not None:
            found[part] = found[part] + layer(below, other, None)
    return found


def _of_sign(x: Tensor | None, part: Part) -> Tensor | None:
    if x is None or part == "all":
        return x
    return x.clamp(min=0) if part == "positive" else x.clamp(max=0)


def _quotient(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b == 0, 0, a / b)
