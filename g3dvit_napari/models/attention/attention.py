"""The attention of one block, kept as queries, keys and values: no n × n array is ever stored.

Rows of it are computed again where they are wanted, some at a time. Its gradient needs no memory of
its own either: A enters the network through o = A v alone, so that ∇A[i, j] = ∇o[i] · v[j].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from g3dvit_napari.models.probing.anatomy import Site

CHUNK_BYTES = 4 * 2**20  # of attention held at a time; more is slower, caches being small
ON_GPU = 16  # times as much there, where many small steps are slow


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
        q, k = wide(self.q[windows, :, rows]), wide(self.k[windows])
        scores = q @ k.mT * self.scale
        if self.bias is None:
            return scores
        bias = self.bias[windows] if self.bias.shape[0] > 1 else self.bias
        return scores + (bias[:, :, rows] if bias.shape[2] > 1 else bias)

    def weights(self, windows: slice, rows: slice) -> Tensor:
        """Return the attention A (g h r n) of some windows and query rows; rows sum to one."""
        return torch.softmax(self.scores(windows, rows), dim=-1)

    def placed(self, tokens: Tensor) -> Tensor:
        """Return what is known of tokens (... t) at the places of the windows (... g n)."""
        if self.windows is None:
            return tokens[..., None, :]
        windows = self.windows.to(tokens.device)
        return torch.where(windows >= 0, tokens[..., windows.clamp(min=0)], 0)

    def collected(self, places: Tensor) -> Tensor:
        """Undo `placed`: add up what lies at the places of each token; padding is dropped."""
        if self.windows is None:
            return places[..., 0, :]
        windows = self.windows.to(places.device)
        real = windows >= 0
        tokens = places.new_zeros(*places.shape[:-2], self.site.tokens)
        return tokens.index_add_(-1, windows[real], places[..., real])

    def pieces(self, rows: int | None = None) -> Iterator[Piece]:
        """Yield all windows with their first query rows (None: all), as much as may be held."""
        g, h, n, _ = self.q.shape
        rows = n if rows is None else rows
        held = CHUNK_BYTES * (1 if self.q.device.type == "cpu" else ON_GPU)
        one_row = h * n * max(4, self.q.element_size())
        height = min(max(1, held // one_row), max(rows, 1))
        breadth = max(1, held // (one_row * height)) if height >= rows else 1
        for window in range(0, g, breadth):
            for row in range(0, rows, height):
                part = slice(row, min(row + height, rows))
                yield Piece(self, slice(window, window + breadth), part)


@dataclass(frozen=True, eq=False)
class Piece:
    """Some windows of an attention, and some query rows of each: few enough to be held."""

    layer: AttentionLayer
    windows: slice
    rows: slice

    @property
    def scores(self) -> Tensor:
        """S (g h r n)."""
        return self.layer.scores(self.windows, self.rows)

    @cached_property
    def weights(self) -> Tensor:
        """A (g h r n), zero where a key is padding."""
        weights = self.layer.weights(self.windows, self.rows)
        real = self.real
        return weights if real is None else weights * real[:, None, None]

    @property
    def real(self) -> Tensor | None:
        """Which places (g n) hold a token; None: all of them."""
        windows = self.layer.windows
        return None if windows is None else windows[self.windows] >= 0

    def gradient(self, mixed: Tensor) -> Tensor:
        """Return ∇A (g h r n), given ∇o (g h r e) of the first query rows; others have none."""
        rows = mixed[self.windows, :, self.rows]
        missing = self.rows.stop - self.rows.start - rows.shape[2]
        return F.pad(wide(rows), (0, 0, 0, missing)) @ wide(self.layer.v[self.windows]).mT


def wide(x: Tensor) -> Tensor:
    """Return half precision as float32: its softmax would lose the small weights."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
