"""Rollout: attention matrices mixed with the identity, normalised row by row, multiplied up."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from g3dvit_napari.models.as_found.capture import expect
from g3dvit_napari.models.attention.attention import Piece
from g3dvit_napari.models.attention.attention_maps import reading_row
from g3dvit_napari.models.attention.row_vectors import carried, row_times
from g3dvit_napari.models.passes.forward import ForwardPass

Fuse = Callable[[int, Piece, int], Tensor]


def rolled_out(
    run: ForwardPass, fuse: Fuse, *, count: int, discard: float, residual: float
) -> Tensor:
    """Return row(Ã_L … Ã_1), one per class (k n), with Ã = rownorm((1 - residual) M + residual I).

    Parameters
    ----------
    run
        The pass.
    fuse
        Gives M (g r n), heads fused, for the number of a block, a piece of it and each of `count`
        rows.
    count
        How many rows.
    discard
        The share of each row of M that is set to zero, smallest first.
    residual
        The share of the identity.
    """
    layers = run.attention()
    expect(run.tick, len(layers))

    def mixed_with_identity(sums: Tensor) -> Tensor:
        return residual + (1 - residual) * sums

    def step(index: int, r: Tensor) -> Tensor:
        def matrix(piece: Piece, which: int) -> Tensor:
            return without_smallest(piece, fuse(index, piece, which), discard)[:, None]

        # The identity is never added to M: small values of M would drown in it.
        r, moved = row_times(layers[index], r, matrix, mixed_with_identity)
        return residual * r + (1 - residual) * moved

    start = reading_row(run, layers[-1].site).expand(count, 1, -1)
    return carried(layers, start, step, run.tick)[:, 0]


def accumulated(run: ForwardPass, fuse: Fuse, *, count: int) -> Tensor:
    """Return row((I + M_L) … (I + M_1) − I), one per class (k n); `fuse` gives M as above.

    What comes of the identity alone is carried beside the rest: subtracted at the end it would
    leave rounding errors of its own size.
    """
    layers = run.attention()
    expect(run.tick, len(layers))

    def step(index: int, r: Tensor) -> Tensor:
        def matrix(piece: Piece, which: int) -> Tensor:
            return fuse(index, piece, which)[:, None]

        _, moved = row_times(layers[index], r.sum(1, keepdim=True), matrix)
        return torch.cat([r[:, :1], r[:, 1:] + moved], dim=1)

    row = reading_row(run, layers[-1].site)
    start = torch.stack([row, torch.zeros_like(row)]).expand(count, -1, -1)
    return carried(layers, start, step, run.tick)[:, 1]


def without_smallest(piece: Piece, fused: Tensor, discard: float) -> Tensor:
    """Set the smallest share of each row (g r n) to zero.

    A token's attention to itself and to the tokens in front of the cells is kept in any case.
    """
    if not discard:
        return fused
    rows, places = torch.arange(piece.rows.start, piece.rows.stop), torch.arange(fused.shape[-1])
    keep = (rows[:, None] == places) | (places < piece.layer.site.prefix)
    keep, real = keep.to(fused.device), piece.real
    keep = keep[None] if real is None else keep | ~real[:, None]
    several = places.numel() if real is None else real.sum(-1)[:, None, None]
    ranked, order = fused.masked_fill(keep, torch.inf).sort(-1)
    smallest = (places.to(fused.device) < discard * several // 1) & (ranked < torch.inf)
    return fused.scatter(-1, order, torch.where(smallest, 0, fused.gather(-1, order)))
