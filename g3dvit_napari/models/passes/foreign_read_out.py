"""Any network's head behind other blocks than the last: gradients at what their attention mixes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from g3dvit_napari.models.as_found.capture import Tick, capturing
from g3dvit_napari.models.passes.cut import pulled
from g3dvit_napari.models.passes.foreign_attention import ForeignAttention, Mixed
from g3dvit_napari.models.passes.hooked import replacing
from g3dvit_napari.models.passes.native_attention import Pooling
from g3dvit_napari.models.passes.tail import Behind

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


class ForeignReadOut:
    """Two runs: one cut in front of each o and behind each block, and one of the head behind all.

    Parameters
    ----------
    model, image
        The network's handle, and its input (1 c f h w).
    attention
        Its attention.
    """

    def __init__(self, model: ModelHandle, image: Tensor, attention: ForeignAttention) -> None:
        self._model, self._image, self._attention = model, image, attention

    def gradients(
        self, starts_of: Callable[[Tensor], Tensor], first: int, pool: Pooling, tick: Tick
    ) -> Iterator[Tensor]:
        """Yield ∇o (k g h n e) of the blocks from `first` on, each with the head behind it.

        `starts_of` maps the logits (c) that the head then gives to the gradients (k 1 c) at them.
        """
        with capturing(self._model.network):
            mixed, tokens = self._blocks(first, tick)
            behind = Behind(
                self._model, self._image, self._model.anatomy.leaving[-1], tokens[-1].detach()
            )
            with torch.enable_grad():
                answers = behind(self._read(tokens, pool))
        for logits, one in zip(answers, mixed, strict=True):
            with capturing(self._model.network):
                starts = starts_of(logits.detach())[:, 0]
                found = [pulled(logits, [one.out], start)[0] for start in starts]
            yield self._attention.split(torch.stack(found), one)
            tick()

    def _blocks(self, first: int, tick: Tick) -> tuple[list[Mixed], Tensor]:
        """Return o of the blocks, and the tokens (l n d) that leave them, each a graph of it."""
        sites = self._model.anatomy.leaving[first - self._model.blocks :]
        left: list[Tensor] = []

        def end(output: Tensor) -> Tensor:
            left.append(output)
            return output.detach().clone()  # the network may go on in place

        with ExitStack() as stack:
            for site in sites:
                stack.enter_context(replacing(self._model.network, site, end))
            _, mixed = self._attention.cut(tick, first=first, each=True)
        with torch.enable_grad():
            return mixed, torch.cat([s.flat(one) for s, one in zip(sites, left, strict=True)])

    def _read(self, tokens: Tensor, pool: Pooling) -> Tensor:
        """Where the network reads otherwise, put what is to be read at the place of every token."""
        if (pool == "cls") == (self._model.anatomy.pool == "cls"):
            return tokens
        read = tokens[:, :1] if pool == "cls" else tokens.mean(1, keepdim=True)
        return read.expand_as(tokens)
