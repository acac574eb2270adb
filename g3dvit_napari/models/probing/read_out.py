"""How a network makes its answer of the last tokens or feature maps, found by its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from g3dvit_napari.models.passes.hooked import only_tensor, replacing
from g3dvit_napari.models.probing.anatomy import Layout, Pool, Site
from g3dvit_napari.models.probing.placing import UNKNOWN
from g3dvit_napari.models.probing.tape import AttentionCall, Tape

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle

SAME = 1e-4  # of the largest value: differences below are rounding


@dataclass(frozen=True)
class Averaged:
    """Features whose mean over all cells is read, alone: the modules that yield them, and how.

    names
        All modules that yield the same features, the innermost first.
    shape
        Of the features.
    everywhere
        Whether tokens in front of the cells are averaged as well.
    """

    names: tuple[str, ...]
    layout: Layout
    shape: tuple[int, ...]
    everywhere: bool


@dataclass(frozen=True)
class ReadOut:
    """How a head reads tokens or a feature map.

    pool
        What it reads.
    averaged
        The features of which one linear layer makes the logits when they are averaged.
    activation
        What is behind the logits; "" for nothing.
    """

    pool: Pool
    averaged: Averaged | None
    activation: str


class Tail:
    """One run whose graph begins at the last attention, or at a site where there is none.

    To be made inside `capturing`.
    """

    def __init__(self, model: ModelHandle, image: Tensor, start: int | Site) -> None:
        self.leaf: Tensor | None = None
        self.order: tuple[int, ...] = ()
        self._passed: dict[str, tuple[Tensor, int]] = {}
        self._again: set[str] = set()
        self._heard = 0
        with ExitStack() as stack:
            stack.enter_context(torch.enable_grad())
            if isinstance(start, Site):
                stack.enter_context(replacing(model.network, start, self._begin))
            else:
                stack.enter_context(Tape(partial(self._hear, start)))
            for name, module in model.network.named_modules():
                if name:
                    hook = module.register_forward_hook(partial(self._leave, name))
                    stack.callback(hook.remove)
            logits, self.activation = model.answer_and_activation(image)
            self.logits = logits[0]

    def _begin(self, output: Tensor) -> Tensor:
        self.leaf = output.detach().requires_grad_()
        return self.leaf.clone()

    def _hear(self, last: int, call: AttentionCall) -> Tensor:
        self._heard += 1
        if self._heard != last:
            return call.out
        self.order = call.order
        return self._begin(call.out)

    def _leave(self, name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        tensor = only_tensor(output)
        if tensor is not None and tensor.requires_grad and tensor.ndim in (3, 5):
            if name in self._passed:
                self._again.add(name)
            self._passed[name] = tensor, tensor._version

    @property
    def passed(self) -> dict[str, Tensor]:
        """The outputs of modules run once, behind the start, that nobody wrote into later."""
        return {
            name: tensor
            for name, (tensor, version) in self._passed.items()
            if tensor._version == version and name not in self._again
        }

    def gradients(self, weights: Tensor, at: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradients of the weighted sum of the logits."""
        found = torch.autograd.grad(self.logits, at, weights, retain_graph=True, allow_unused=True)
        pairs = zip(at, found, strict=True)
        return [torch.zeros_like(each) if one is None else one for each, one in pairs]


def read_out(model: ModelHandle, images: tuple[Tensor, Tensor], start: int | Site) -> ReadOut:
    """Return how the head reads what it gets.

    Parameters
    ----------
    model, images
        The network's handle, and two images (1 c f h w).
    start
        The number of attentions, or a site in front of everything that may be averaged.
    """
    tail = Tail(model, images[0], start)
    if tail.leaf is None or not tail.logits.requires_grad:
        return ReadOut("other", None, tail.activation)
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(len(tail.logits), generator=generator).to(tail.logits)
    averaged = _averaged(tail, weights)
    if averaged is None:
        only = tail.order and _first_only(tail, weights)
        return ReadOut("cls" if only else "other", None, tail.activation)
    linear = _linear(tail, Tail(model, images[1], start), weights, averaged.names[0])
    pool: Pool = "mean" if averaged.everywhere else "other"
    return ReadOut(pool, averaged if linear else None, tail.activation)


def _first_only(tail: Tail, weights: Tensor) -> bool:
    """Whether the logits depend on the first row of what the last attention gave, and no other."""
    assert tail.leaf is not None
    (gradient,) = tail.gradients(weights, [tail.leaf])
    rows = gradient.permute(tail.order).movedim(-2, 0).flatten(1)
    felt = rows.abs().amax(1)
    return bool(felt[0] > 0 and not felt[1:].any())


def _averaged(tail: Tail, weights: Tensor) -> Averaged | None:
    """Return the last features at which the gradient is the same for all cells."""
    passed = tail.passed
    gradients = tail.gradients(weights, list(passed.values())) if passed else []
    for name, gradient in zip(reversed(passed), reversed(gradients), strict=True):
        tensor = passed[name]
        for layout in _layouts(tensor):
            rows = Site("", layout, 0, UNKNOWN).flat(gradient)[0]
            first = int(rows.any(-1).int().argmax())  # class tokens may be left out
            if len(rows) > first + 1 and rows[-1].any() and _same(rows[first:], rows[-1]):
                names = tuple(each for each in passed if passed[each] is tensor)
                return Averaged(names, layout, tuple(tensor.shape), first == 0)
    return None


def _layouts(tensor: Tensor) -> tuple[Layout, ...]:
    if tensor.ndim == 5:
        return "b d f h w", "b f h w d"
    return ("b n d",) if tensor.shape[0] == 1 else ("n b d",)


def _linear(one: Tail, other: Tail, weights: Tensor, name: str) -> bool:
    """Whether logits = Σ gradient · x + constant, with the same two for both images."""
    gradients, constants = [], []
    for tail in (one, other):
        if name not in tail.passed:
            return False
        features = tail.passed[name]
        (gradient,) = tail.gradients(weights, [features])
        gradients.append(gradient)
        constants.append(tail.logits.detach() @ weights - (gradient * features.detach()).sum())
    size = torch.stack([weights @ tail.logits.detach() for tail in (one, other)]).abs().max()
    close = (constants[0] - constants[1]).abs() <= 10 * SAME * (size + constants[0].abs())
    return bool(close) and _same(*gradients)


def _same(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= SAME * expected.abs().max())
