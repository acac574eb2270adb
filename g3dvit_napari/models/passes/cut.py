"""One run of a network whose graph begins at a site."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.checkpoint import CheckpointError

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.as_found.capture import Tick, capturing
from g3dvit_napari.models.passes.hooked import replacing, ticking
from g3dvit_napari.models.probing.anatomy import Site
from g3dvit_napari.models.probing.tape import AttentionCall, Tape

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


_CUT_OFF = (
    "no gradient comes back from the network's answer to where it is asked for: the network "
    "detaches its tokens, or computes parts of itself again (gradient checkpointing); switch that "
    "off in the network, or choose a method that needs no gradients, such as occlusion"
)


class Cut:
    """What a site holds is cut off from what is below and made a leaf.

    Parameters
    ----------
    model, image
        The network's handle, and its input (1 c f h w).
    site
        Where the graph begins.
    tick
        Called at each site of the network; may raise.

    Attributes
    ----------
    averaged
        What a linear head averages, with its graph; None: there is no such head.
    """

    def __init__(self, model: ModelHandle, image: Tensor, site: Site, tick: Tick) -> None:
        self.site = site
        self._leaf: Tensor | None = None
        self.averaged: Tensor | None = None
        network, head = model.network, model.anatomy.averaged
        with (
            capturing(network),
            torch.enable_grad(),
            ticking(network, model.anatomy.sites, tick),
            replacing(network, site, self._begin),
            replacing(network, head, self._pass) if head else nullcontext(),
            Tape(AttentionCall.without_weights),
        ):
            self.logits = model.answer(image)[0]

    def _begin(self, output: Any) -> Tensor:
        if not isinstance(output, Tensor) or self._tokens_in(output) != self.site.tokens:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise MethodError(
                f"{self.site.name} must yield one vector per token, (1, {self.site.tokens}, "
                f"features) by the spec's grid and prefix_tokens, but yields {shape}; correct "
                "network.norm or the grid"
            )
        self._leaf = output.detach().clone().requires_grad_()
        return self._leaf.clone()  # the network may go on in place

    def _pass(self, output: Tensor) -> Tensor:
        self.averaged = output
        return output

    def _tokens_in(self, output: Tensor) -> int:
        if output.ndim != len(self.site.layout.split()):
            return -1
        return int(self.site.flat(output).shape[1])

    @property
    def leaf(self) -> Tensor:
        """What the site holds, in the module's own layout."""
        if self._leaf is None:
            raise MethodError(
                f"{self.site.name} took no part in the network's answer; set network.norm to the "
                "layer norm in front of the last attention"
            )
        return self._leaf

    @property
    def tokens(self) -> Tensor:
        """The same as tokens (1 n d)."""
        return self.site.flat(self.leaf)

    def gradients(self, starts: Tensor, tick: Tick) -> Tensor:
        """Return the gradients (k n d) at the site, given those at the logits (k c)."""
        found = []
        for start in starts:
            found.append(self.site.flat(pulled(self.logits, [self.leaf], start)[0])[0])
            tick()
        return torch.stack(found)


def pulled(logits: Tensor, leaves: Sequence[Tensor], start: Tensor) -> list[Tensor]:
    """Return the gradients at some tensors, given those at the logits; zeros where none arrives.

    Raises
    ------
    MethodError
        When none arrives anywhere.
    """
    found: Sequence[Tensor | None] = [None]
    if logits.requires_grad:
        try:
            found = torch.autograd.grad(logits, leaves, start, retain_graph=True, allow_unused=True)
        except CheckpointError as error:
            raise MethodError(_CUT_OFF) from error
    if all(one is None for one in found):
        raise MethodError(_CUT_OFF)
    pairs = zip(leaves, found, strict=True)
    return [torch.zeros_like(leaf) if one is None else one for leaf, one in pairs]
