"""The attention of our own ViT3D, and gradients at what it mixes: one block's graph at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from g3dvit_napari.models.as_found.capture import Recorded, Tick
from g3dvit_napari.models.attention.attention import AttentionLayer
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.probing.anatomy import Site

Pooling = Literal["mean", "cls"]


class NativeAttention:
    """Queries, keys, values and gradients of every attention, from what entered each block.

    A block that z enters mixes the values, o = A v; then u = z + W o, and u + FF(u) leaves it. The
    gradient at o comes through the second half of the block; the one at z is that at u and, unless
    attention is held constant, what comes through o.

    Parameters
    ----------
    network
        The network.
    entering
        What enters each block (1 n d).
    sites
        The norm in front of each attention.
    """

    def __init__(self, network: ViT3D, entering: Sequence[Tensor], sites: Sequence[Site]) -> None:
        self._network, self._entering, self._sites = network, entering, sites
        self._layers: tuple[AttentionLayer, ...] = ()
        self._kept: tuple[object, tuple[Tensor, ...]] | None = None

    def layers(self) -> tuple[AttentionLayer, ...]:
        """Return queries, keys and values of every block; kept for the next request."""
        if not self._layers:
            self._layers = tuple(map(self._layer, range(len(self._entering))))
        return self._layers

    def gradients(
        self, starts: Tensor, tick: Tick, *, first: int, skip_only: bool
    ) -> tuple[Tensor, ...]:
        """Return ∇o (k 1 h r e) of the blocks from `first` on, given those at the logits (k 1 c).

        The same request as the last one costs nothing.
        """
        key = (starts.cpu().double().numpy().tobytes(), first, skip_only)
        if self._kept is None or self._kept[0] != key:
            self._kept = None  # free the old ones before the new ones need memory
            found = self._pulled(starts[:, 0], tick, first=first, skip_only=skip_only)
            self._kept = (key, found)
        return self._kept[1]

    def read_out_gradients(
        self, index: int, starts_of: Callable[[Tensor], Tensor], pool: Pooling
    ) -> Tensor:
        """Return ∇o (k 1 h r e) of a block when the head reads what leaves it.

        `starts_of` maps the logits (c) that it then gives to the gradients (k 1 c) at them.
        """
        mixed = self._mixed(self._entering[index], index, 1 if pool == "cls" else None)
        recorded = Recorded(lambda o: self._answer(self._behind(o, index, []), pool), mixed)
        pulled = recorded.pull(starts_of(recorded.value[0]))
        return self._split(torch.cat([first for first, *_ in pulled]), index)

    def _answer(self, tokens: Tensor, pool: Pooling) -> Tensor:
        """Return the logits (1 c) of tokens (1 n d): read as trained, or from a single one."""
        own = (pool == "cls") == self._network.cls_pooling
        if not own:
            tokens = tokens[:, :1] if pool == "cls" else tokens.mean(1, keepdim=True)
        return self._network.read_out(tokens)

    def _pulled(
        self, above: Tensor, tick: Tick, *, first: int, skip_only: bool
    ) -> tuple[Tensor, ...]:
        """Go back from the gradients at the logits (k c), block by block."""
        found: list[Tensor] = []
        for index in reversed(range(first, len(self._entering))):
            last = index == len(self._entering) - 1
            read_alone = self._network.cls_pooling and (last or skip_only)
            attend = partial(self._mixed, index=index, rows=1 if read_alone else None)
            stops = skip_only or index == first
            attended = None if stops else Recorded(attend, self._entering[index])
            mixed = attended.value if attended else attend(self._entering[index])
            at_mixed, above = self._through_second_half(mixed, index, above)
            if attended:
                missing = self._entering[index].shape[1] - above.shape[1]
                above = F.pad(above, (0, 0, 0, missing))
                above += torch.cat([first for first, *_ in attended.pull(at_mixed[:, None])])
            found.append(self._split(at_mixed, index))
            tick()
        return tuple(reversed(found))

    def _through_second_half(
        self, mixed: Tensor, index: int, above: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients (k r ...) at o and at u, given those above the block.

        A single row is copied once per class, so that all of them go back together.
        """
        kept: list[Tensor] = []
        last = index == len(self._entering) - 1

        def stage(o: Tensor) -> Tensor:
            out = self._behind(o, index, kept)
            return self._network.read_out(out) if last else out

        copies = len(above) if mixed.shape[1] == 1 else 1
        recorded = Recorded(stage, mixed.expand(copies, -1, -1))
        pulled = recorded.pull(above.reshape(-1, copies, *above.shape[1:]), also=kept)
        at_mixed, at_skip = (torch.cat(parts) for parts in zip(*pulled, strict=True))
        return at_mixed, at_skip

    def _layer(self, index: int) -> AttentionLayer:
        attention = self._network.blocks[index].attention
        q, k, v = attention.query_key_value(attention.norm(self._entering[index]))
        return AttentionLayer(self._sites[index], q, k, v, attention.scale)

    def _mixed(self, z: Tensor, index: int, rows: int | None) -> Tensor:
        """Return o (1 r (h e)) of the first query rows; None: of all."""
        attention = self._network.blocks[index].attention
        q, k, v = attention.query_key_value(attention.norm(z))
        return attention.mixed(q[:, :, :rows], k, v)

    def _behind(self, mixed: Tensor, index: int, kept: list[Tensor]) -> Tensor:
        """Return what leaves the block, given o (b r (h e)); u is put into `kept`."""
        block = self._network.blocks[index]
        skip = self._entering[index][:, : mixed.shape[1]]
        u = cast(Tensor, block.attention.to_out(mixed)) + skip
        kept.append(u)
        return u + cast(Tensor, block.feed_forward(u))

    def _split(self, gradients: Tensor, index: int) -> Tensor:
        """Split (k r (h e)) into heads (k 1 h r e)."""
        return self._network.blocks[index].attention.split_heads(gradients)[:, None]
