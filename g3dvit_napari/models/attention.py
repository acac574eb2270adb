"""The attention of one block, kept as queries, keys and values: no n × n array is ever stored."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from g3dvit_napari.models.anatomy import Site


@dataclass(frozen=True, eq=False)
class AttentionLayer:
    """Queries, keys and values (g h n e) of one attention, in g windows of n places and h heads.

    site
        The norm in front of it, whose tokens attend to each other.
    windows
        (g n) the token of the site at each place of each window, -1 for padding; None: one window
        that holds all tokens in order.
    bias
        Added to the scores before the softmax, broadcast to (g h n n); relative positions, masks.
    """

    site: Site
    q: Tensor
    k: Tensor
    v: Tensor
    scale: float
    windows: Tensor | None = None
    bias: Tensor | None = None

    def scores(self, windows: slice, rows: slice) -> Tensor:
        """Return the scores S (g h r n) of some windows and query rows, before the softmax."""
        scores = self.q[windows, :, rows] @ self.k[windows].mT * self.scale
        if self.bias is None:
            return scores
        bias = self.bias[windows] if self.bias.shape[0] > 1 else self.bias
        return scores + (bias[:, :, rows] if bias.shape[2] > 1 else bias)

    def weights(self, windows: slice, rows: slice) -> Tensor:
        """Return the attention A (g h r n) of some windows and query rows; rows sum to one."""
        return torch.softmax(self.scores(windows, rows), dim=-1)
