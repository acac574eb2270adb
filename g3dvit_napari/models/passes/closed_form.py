"""Gradients of the last block under class-token pooling, for all classes at once, without autograd.

Only the class token's query row reaches the logits. With attention p over the tokens j, the mixed
values o = Σ_j p_j v_j, and U = d logit / d o from the short tail behind it, the gradient at the
norm's output is

    g_j = W_v^T [p_j U] + W_k^T [s_j q],     s_j = scale · p_j (U·v_j − Σ_m p_m U·v_m),

per head, plus W_q^T Σ_j s_j k_j at the class token itself: a product of two thin matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from g3dvit_napari.models.networks.vit3d import Block

FEATURES_AT_ONCE = 128  # taken away


@dataclass(frozen=True, eq=False)
class Factored:
    """Gradients (k n d), held as weights (k n r) times directions (k r d)."""

    weights: Tensor
    directions: Tensor

    def full(self) -> Tensor:
        """Return the gradients (k n d)."""
        return self.weights @ self.directions

    def feature_mean(self) -> tuple[Tensor, Tensor]:
        """Return the mean over features (k n) in float64, and the mean size of its terms."""
        weights, directions = self.weights.cpu().double(), self.directions.cpu().double()
        mean = weights @ directions.mean(-1, keepdim=True)
        size = weights.abs() @ directions.abs().mean(-1, keepdim=True)
        return mean[..., 0], size[..., 0]


class ClassRow:
    """The class token's way through the last block, with all it needs of the other tokens.

    Parameters
    ----------
    block
        The last block.
    normed, skip
        The output of its attention norm, and its input, each (1 n d).
    read_out
        Maps the class token (b 1 d) behind the block to logits (b k).
    """

    def __init__(
        self, block: Block, normed: Tensor, skip: Tensor, read_out: Callable[[Tensor], Tensor]
    ) -> None:
        self._block, self._skip, self._read_out = block, skip[:, :1], read_out
        split = block.attention.split_heads
        to_q, to_k, to_v = self._weights = block.attention.to_qkv.weight.chunk(3)
        self._q = split(F.linear(normed[:, :1], to_q))[0, :, 0]  # h e
        self._k = split(F.linear(normed, to_k))[0]  # h n e
        self._v = split(F.linear(normed, to_v))[0]
        scores = torch.einsum("he,hne->hn", self._q, self._k) * block.attention.scale
        self._p = scores.softmax(-1)
        self._mixed = torch.einsum("hn,hne->he", self._p, self._v)
        self.logits = self._tail(self._mixed.flatten()[None])[0]

    def _tail(self, mixed: Tensor) -> Tensor:
        """Map mixed values (b (h e)) to logits (b k)."""
        x = self._block.attention.to_out(mixed[:, None]) + self._skip
        return self._read_out(self._block.feed_forward(x) + x)

    def _tail_gradients(self, starts: Tensor) -> Tensor:
        """Return d score / d mixed values (k h e): the tail sees one token per class."""
        with torch.enable_grad():
            mixed = self._mixed.flatten().expand(len(starts), -1).clone().requires_grad_()
            (gradients,) = torch.autograd.grad(self._tail(mixed), mixed, starts[:, 0])
        return gradients.reshape(len(starts), *self._mixed.shape)

    def gradients(self, starts: Tensor) -> Factored:
        """Return the gradients at the norm's output, given those at the logits (k 1 c)."""
        u = self._tail_gradients(starts)
        felt = torch.einsum("khe,hne->khn", u, self._v)
        centred = felt - (self._p * felt).sum(-1, keepdim=True)
        s = self._p * centred * self._block.attention.scale  # d logit / d score, k h n
        to_q, to_k, to_v = (w.reshape(*self._q.shape, -1) for w in self._weights)  # h e d
        through_v = torch.einsum("khe,hed->khd", u, to_v)
        through_k = torch.einsum("he,hed->hd", self._q, to_k).expand_as(through_v)
        through_q = torch.einsum("khn,hne,hed->kd", s, self._k, to_q)[:, None]
        class_token = torch.zeros_like(s[:, :1])
        class_token[..., 0] = 1
        weights = torch.cat([self._p.expand_as(s), s, class_token], dim=1).mT
        return Factored(weights, torch.cat([through_v, through_k, through_q], dim=1))

    def without(self, normed: Tensor, features: Sequence[int]) -> Tensor:
        """Return the logits (b k) with one feature (b) at a time set to zero at every token.

        `normed` is the norm's output (n d). Taking a feature away changes queries, keys and values
        by a product of two vectors, so none of them is computed anew.
        """
        parts = torch.split(torch.tensor(features, device=normed.device), FEATURES_AT_ONCE)
        return torch.cat([self._without(normed[:, part], part) for part in parts])

    def _without(self, gone: Tensor, features: Tensor) -> Tensor:
        """`gone`: the columns (n b) of the norm's output that are taken away."""
        to_q, to_k, to_v = (w[:, features].reshape(*self._q.shape, -1) for w in self._weights)
        q = self._q[..., None] - to_q * gone[0]  # h e b
        scores = torch.einsum("heb,hne->bhn", q, self._k)
        scores -= torch.einsum("heb,heb,nb->bhn", q, to_k, gone)
        p = (scores * self._block.attention.scale).softmax(-1)
        mixed = torch.einsum("bhn,hne->bhe", p, self._v)
        mixed -= torch.einsum("bhn,nb,heb->bhe", p, gone, to_v)
        return self._tail(mixed.flatten(1))
