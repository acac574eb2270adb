"""A pass through any network, hooked at the norm or feature map that is explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.as_found.capture import Tick, block_index, capturing
from g3dvit_napari.models.attention.attention import AttentionLayer
from g3dvit_napari.models.passes.asked import Asked
from g3dvit_napari.models.passes.cut import Cut
from g3dvit_napari.models.passes.foreign_attention import ForeignAttention
from g3dvit_napari.models.passes.foreign_read_out import ForeignReadOut
from g3dvit_napari.models.passes.linear_head import LinearHead, head_of
from g3dvit_napari.models.passes.native_attention import Pooling
from g3dvit_napari.models.passes.tail import Behind
from g3dvit_napari.models.rules.rules import Rules
from g3dvit_napari.models.rules.shares import At, Shares
from g3dvit_napari.models.rules.whole_graph import whole_shares

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


class ForeignPass(Asked):
    """The output at a site is cut off from what is below and made a leaf; the graph starts there.

    One site is kept at a time; another one costs a pass.
    """

    def __init__(self, model: ModelHandle, image: Tensor, tick: Tick) -> None:
        super().__init__(model, image, tick)
        self._cuts: dict[int, Cut] = {}
        self._attention = ForeignAttention(model, image)
        if model.anatomy.sites:
            self.logits = self._cut(-1).logits.detach()
        else:
            self.logits = model.logits(image)[0]
            tick()

    def _cut(self, block: int) -> Cut:
        index = block_index(block, self.model.blocks)
        if index not in self._cuts:
            self._cuts.clear()
            self._cuts[index] = Cut(self.model, self.image, self.model.site(index), self.tick)
        return self._cuts[index]

    def activations(self, block: int = -1) -> Tensor:
        """Return the output (n d) at a site."""
        return self._cut(block).tokens.detach()[0]

    def gradients(self, targets: Sequence[int], block: int = -1) -> Tensor:
        """Return the gradients (k n d) of the explained numbers with respect to that output."""
        cut, starts = self._cut(block), self.starts(targets)
        with capturing(self.model.network):
            gradients = cut.gradients(starts[:, 0], self.tick)
        if not gradients[:, cut.site.prefix :].any():
            raise MethodError(
                f"the gradient at {cut.site.name} is zero at every patch: the network reads its "
                "answer from other tokens there. Under class-token pooling nothing behind the "
                "last attention reaches the patches; set network.norm to the layer norm in front "
                "of the last attention"
            )
        return gradients

    def scores_without(
        self, features: Sequence[int], targets: Sequence[int], block: int = -1
    ) -> Tensor:
        """Return the explained numbers (f k) with one feature of that output at a time at zero."""
        tokens = self.activations(block)
        with capturing(self.model.network):
            behind = Behind(self.model, self.image, self.site(block), tokens)
        return behind.scores_without(self, features, targets)

    def mean_gradients(self, targets: Sequence[int], block: int = -1) -> tuple[Tensor, Tensor]:
        """Return their mean over features (k n), and the mean size of its terms."""
        gradients = self.gradients(targets, block)
        return gradients.mean(-1), gradients.abs().mean(-1)

    def attention(self) -> tuple[AttentionLayer, ...]:
        """Return queries, keys and values of every attention, without a graph."""
        self._attends()
        return self._attention.layers(self.tick)

    def attention_gradients(
        self, targets: Sequence[int], first: int = 0, *, skip_only: bool = False
    ) -> tuple[Tensor, ...]:
        """Return ∇o (k g h n e) of every attention from `first` on, from one graph."""
        self._attends()
        first, starts = block_index(first, self.model.blocks), self.starts(targets)
        return self._attention.gradients(starts, self.tick, first=first, skip_only=skip_only)

    def attention_relevance(
        self, targets: Sequence[int], first: int = 0, *, partial: bool = False
    ) -> tuple[Tensor, ...]:
        """Return t = R / o (k g h n e) of every attention from `first` on, from one graph."""
        self._attends()
        first, starts = block_index(first, self.model.blocks), self.starts(targets)
        return self._attention.relevance(
            self.logits, starts, self.tick, first=first, partial=partial
        )

    def _attends(self) -> None:
        if self.model.anatomy.attention == "none":
            raise MethodError("the attention of this network is not known; choose another method")

    def linear_head(self) -> LinearHead:
        """Return what is averaged over all cells and classified by one linear layer."""
        with capturing(self.model.network):
            return head_of(self._cut(-1), self.model.anatomy)

    def read_out_gradients(
        self, targets: Sequence[int], first: int, pool: Pooling
    ) -> Iterator[Tensor]:
        """Yield ∇o (k g h n e) of each block from one on when the head reads what leaves it."""
        first, anatomy = block_index(first, self.model.blocks), self.model.anatomy
        if first < self.model.blocks - len(anatomy.leaving):
            raise MethodError(
                f"the head of this network can be put behind its last {len(anatomy.leaving)} "
                f"blocks, not behind block {first} of {self.model.blocks}"
            )

        def starts_of(logits: Tensor) -> Tensor:
            return self.objective.starts(logits, targets)

        read_out = ForeignReadOut(self.model, self.image, self._attention)
        return read_out.gradients(starts_of, first, pool, self.tick)

    def shares(self, targets: Sequence[int], rules: Rules, at: At = "tokens") -> Shares:
        """Return what tokens or voxels, and the biases, contribute under backward rules."""
        starts = self.starts(targets)
        return whole_shares(self.model, self.image, starts, rules, at, tick=self.tick)
