"""A pass through our own ViT3D: no graph below the explained block, fused attention throughout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from g3dvit_napari.core.cells import Cells, Triple
from g3dvit_napari.models.as_found.capture import (
    Recorded,
    Stage,
    Tick,
    block_index,
    capturing,
    pull_back,
)
from g3dvit_napari.models.attention.attention import AttentionLayer
from g3dvit_napari.models.networks.vit3d import Block, ViT3D
from g3dvit_napari.models.passes.asked import Asked
from g3dvit_napari.models.passes.closed_form import ClassRow, Factored
from g3dvit_napari.models.passes.linear_head import LinearHead
from g3dvit_napari.models.passes.native_attention import NativeAttention, Pooling
from g3dvit_napari.models.passes.tail import without
from g3dvit_napari.models.probing.anatomy import Anatomy, Site
from g3dvit_napari.models.rules.relprop import relevance_of_attention
from g3dvit_napari.models.rules.rules import Rules
from g3dvit_napari.models.rules.shares import At, Places, Shares, staged_shares
from g3dvit_napari.models.sampling.sampling import asked_in_batches, explained

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


TOKENS_AT_ONCE = 1024  # through a feed-forward layer, whose hidden values are the largest of all


def native_anatomy(network: ViT3D) -> Anatomy:
    """Return the anatomy of our own network, which need not be run for it."""
    spec, blocks = network.spec, len(network.blocks)
    cells = Cells.tiling(spec.token_grid, cast(Triple, spec.patch))
    names = [f"transformer.layers.{index}" for index in range(blocks)]
    prefix = network.prefix_tokens
    return Anatomy(
        sites=tuple(Site(f"{name}.0.norm", "b n d", prefix, cells) for name in names),
        attention="global",
        leaving=tuple(Site(name, "b n d", prefix, cells) for name in names),
        pool="cls" if network.cls_pooling else "mean",
        linear_head=not network.cls_pooling and isinstance(network.head, nn.Linear),
    )


class NativePass(Asked):
    """Keeps what entered each block, so that another class, pooling or block starts from there.

    Of the last block, class-token pooling keeps one query row (`ClassRow`); mean pooling keeps the
    graph from its norm to the logits.
    """

    def __init__(self, model: ModelHandle, image: Tensor, tick: Tick) -> None:
        super().__init__(model, image, tick)
        self._network = cast(ViT3D, model.network)
        self._kept: dict[tuple[bytes, int], Tensor] = {}
        self._shares: dict[tuple[bytes, Rules, At], Shares] = {}
        with capturing(self._network):
            self._entering = self._run(image)
            self._last = self._last_block()
            tick()
        self._attention = NativeAttention(self._network, self._entering, model.anatomy.sites)
        last = self._last
        self.logits = last.logits if isinstance(last, ClassRow) else last.value[0]

    def _run(self, image: Tensor) -> list[Tensor]:
        """Return what enters each block (1 n d); the last block is not run."""
        first = self._network.embed(image)
        # One piece of memory for all: small ones kept between large ones freed would scatter it.
        entering = list(first.new_empty(len(self._network.blocks), *first.shape))
        entering[0].copy_(first)
        del first
        for block, x, out in zip(self._network.blocks, entering, entering[1:], strict=False):
            _run_block(block, x, out)
            self.tick()
        return entering

    def _last_block(self) -> ClassRow | Recorded:
        index, block = len(self._entering) - 1, self._network.blocks[-1]
        normed = self._normed(index)
        if self._network.cls_pooling:
            return ClassRow(block, normed, self._entering[-1], self._network.read_out)
        return Recorded(self._from_norm(index), normed)

    def activations(self, block: int = -1) -> Tensor:
        """Return the output (n d) of the attention norm of a block."""
        index = block_index(block, len(self._entering))
        with capturing(self._network):
            return self._normed(index)[0]

    def gradients(self, targets: Sequence[int], block: int = -1) -> Tensor:
        """Return the gradients (k n d) of the targets' logits with respect to that output."""
        with capturing(self._network):
            found = self._gradients(targets, block_index(block, len(self._entering)))
            return found.full() if isinstance(found, Factored) else found

    def mean_gradients(self, targets: Sequence[int], block: int = -1) -> tuple[Tensor, Tensor]:
        """Return their mean over features (k n) in float64, and the mean size of its terms."""
        with capturing(self._network):
            found = self._gradients(targets, block_index(block, len(self._entering)))
            if isinstance(found, Factored):
                return found.feature_mean()
            return found.mean(-1), found.abs().mean(-1)

    def attention(self) -> tuple[AttentionLayer, ...]:
        """Return queries, keys and values of every attention, first to last."""
        with capturing(self._network):
            return self._attention.layers()

    def attention_gradients(
        self, targets: Sequence[int], first: int = 0, *, skip_only: bool = False
    ) -> tuple[Tensor, ...]:
        """Return the gradients ∇o (k 1 h r e) at what attention mixes, from one block to the last.

        The last request is kept.
        """
        first, starts = block_index(first, len(self._entering)), self.starts(targets)
        with capturing(self._network):
            return self._attention.gradients(starts, self.tick, first=first, skip_only=skip_only)

    def attention_relevance(
        self, targets: Sequence[int], first: int = 0, *, partial: bool = False
    ) -> tuple[Tensor, ...]:
        """Return t = R / o (k 1 h r e) of what attention mixes, from one block to the last."""
        first, starts = block_index(first, len(self._entering)), self.starts(targets)
        stages = [self._whole(index) for index in range(first, len(self._entering))]
        entering = self._entering[first:]
        with capturing(self._network):
            return relevance_of_attention(
                stages, entering, self.logits, starts, self.tick, partial=partial
            )

    def read_out_gradients(
        self, targets: Sequence[int], first: int, pool: Pooling
    ) -> Iterator[Tensor]:
        """Yield ∇o (k 1 h r e) of each block from one on when the head reads what leaves it."""
        blocks = len(self._entering)

        def starts_of(logits: Tensor) -> Tensor:
            return self.objective.starts(logits, targets)

        for index in range(block_index(first, blocks), blocks):
            with capturing(self._network):
                found = self._attention.read_out_gradients(index, starts_of, pool)
            yield found
            self.tick()

    def scores_without(
        self, features: Sequence[int], targets: Sequence[int], block: int = -1
    ) -> Tensor:
        """Return the explained numbers (f k) with one feature of that output at a time at zero."""
        index, tokens = block_index(block, len(self._entering)), self.activations(block)
        if isinstance(self._last, ClassRow) and index == len(self._entering) - 1:
            with capturing(self._network):
                return explained(self, self._last.without(tokens, features), targets)
        ask, items = partial(self._behind, index), without(tokens, features)
        return asked_in_batches(self, ask, items, len(features), targets)

    def _behind(self, index: int, tokens: Tensor) -> Tensor:
        """Return the logits (b c) when the output of the norm of a block is something else."""
        x = self._from_norm(index)(tokens)
        for later in range(index + 1, len(self._entering)):
            x = self._whole(later)(x)
        return x

    def linear_head(self) -> LinearHead:
        """Return the tokens that are averaged, and the weight of the layer behind."""
        network, site, last = self._network, self.site(), len(self._entering) - 1
        assert isinstance(network.head, nn.Linear)  # offered otherwise to nobody
        with capturing(network):
            x = self._through(last, self._normed(last), skip=self._entering[last])
            features = network.final(x)[0, site.prefix :]
        return LinearHead(features, network.head.weight.detach(), site.cells)

    def shares(self, targets: Sequence[int], rules: Rules, at: At = "tokens") -> Shares:
        """Return what tokens or voxels, and the biases, contribute under backward rules."""
        starts = self.starts(targets)
        key = (_bytes(starts), rules, at)
        if key not in self._shares:
            self._shares.clear()
            self._shares[key] = self._shares_of(starts, rules, at)
        return self._shares[key]

    def _shares_of(self, starts: Tensor, rules: Rules, at: At) -> Shares:
        places = Places(self.model.anatomy, tuple(self.image.shape[2:]), at)
        stages = [self._whole(index) for index in range(len(self._entering))]
        entering = self._entering
        if at == "voxels":
            stages, entering = [self._network.embed, *stages], [self.image, *entering]
        with capturing(self._network):
            return staged_shares(places, stages, entering, starts, rules=rules, tick=self.tick)

    def _gradients(self, targets: Sequence[int], index: int) -> Tensor | Factored:
        starts = self.starts(targets)
        key = (_bytes(starts), index)
        if key in self._kept:
            return self._kept[key]
        if isinstance(self._last, ClassRow) and index == len(self._entering) - 1:
            return self._last.gradients(starts)
        gradients = self._pulled(starts, index)
        if len(targets) == 1:  # another pooling or method on the same class is then free
            self._kept.clear()
            self._kept[key] = gradients
        return gradients

    def _pulled(self, start: Tensor, index: int) -> Tensor:
        """Return the gradients (k n d) at the norm of a block by going back from the logits."""
        blocks = len(self._entering)
        if isinstance(self._last, Recorded) and index == blocks - 1:
            return torch.stack([first[0] for first, *_ in self._last.pull(start)])
        stages = [self._from_norm(index), *map(self._whole, range(index + 1, blocks))]
        entering = [self._normed(index), *self._entering[index + 1 :]]
        return pull_back(stages, entering, start, self.tick)[:, 0]

    def _normed(self, index: int) -> Tensor:
        return cast(Tensor, self._network.blocks[index].attention.norm(self._entering[index]))

    def _from_norm(self, index: int) -> Stage:
        """Return the block from its attention norm's output on; the last one yields logits."""
        return partial(self._finish, index, skip=self._entering[index])

    def _whole(self, index: int) -> Stage:
        norm = self._network.blocks[index].attention.norm
        return lambda x: self._finish(index, norm(x), skip=x)

    def _finish(self, index: int, normed: Tensor, *, skip: Tensor) -> Tensor:
        x = self._through(index, normed, skip=skip)
        return self._network.read_out(x) if index == len(self._entering) - 1 else x

    def _through(self, index: int, normed: Tensor, *, skip: Tensor) -> Tensor:
        rows = self._network.rows_read if index == len(self._entering) - 1 else None
        return self._network.blocks[index].from_norm(normed, skip, rows)


def _run_block(block: Block, x: Tensor, out: Tensor) -> None:
    """Run one block (1 n d) without a graph, its feed-forward part on some tokens at a time."""
    torch.add(block.attention(x), x, out=out)
    for part in torch.split(out, TOKENS_AT_ONCE, dim=1):
        part += block.feed_forward(part)


def _bytes(starts: Tensor) -> bytes:
    """Return a key of what is asked: the same classes by the same objective."""
    return starts.cpu().double().numpy().tobytes()
