"""Row vectors times matrices that follow from attention, carried from the last block to the first.

No method wants the matrices themselves, but r A, r relu(A ⊙ ∇A) and the like: n × n numbers go by
in pieces, n stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from g3dvit_napari.models.attention.attention import AttentionLayer, Piece
from g3dvit_napari.models.probing.anatomy import Site

Matrix = Callable[[Piece, int], Tensor]


def row_times(
    layer: AttentionLayer,
    r: Tensor,
    matrix: Matrix,
    norm: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Multiply row vectors with a matrix that follows from an attention.

    Parameters
    ----------
    layer
        The attention.
    r
        Row vectors (k m t) over the tokens of its site, float64 on the CPU.
    matrix
        Gives the rows M (g m r n) of a piece, for each of the k.
    norm
        Given the sums of the rows of M, what each row of M is divided by; None: nothing. Rows
        divided by zero count as zero.

    Returns
    -------
    tuple of Tensor
        s = r / norm, and s M; both (k m t).
    """
    places = layer.placed(r)
    shares, moved = torch.zeros_like(places), torch.zeros_like(places)
    for piece in layer.pieces(_rows_that_count(places)):
        here = (slice(None), piece.windows, piece.rows)
        for which, share in enumerate(places):
            rows = matrix(piece, which).transpose(0, 1)  # m g r n
            part = share[here]
            if norm is not None:
                part = _quotient(part, norm(rows.sum(-1).cpu().double()))
            shares[which][here] = part
            product = part.to(rows.dtype).to(rows.device)[..., None, :] @ rows
            moved[which][:, piece.windows] += product[..., 0, :].cpu().double()
    return layer.collected(shares), layer.collected(moved)


def carried(
    layers: Sequence[AttentionLayer],
    start: Tensor,
    step: Callable[[int, Tensor], Tensor],
    tick: Callable[[], None],
) -> Tensor:
    """Carry row vectors (k m t) from the last attention to the first one.

    `step` gets the number of an attention and the vectors over its tokens, and returns the new
    ones. Between two resolutions every coarse cell's value is split equally among the finer cells
    inside it.
    """
    r = start
    for index in reversed(range(len(layers))):
        if index + 1 < len(layers):
            r = split_among(r, layers[index + 1].site, layers[index].site)
        r = step(index, r)
        tick()
    return r


def split_among(values: Tensor, coarse: Site, fine: Site) -> Tensor:
    """Split the value of every cell (... t) equally among the finer cells whose centre it holds."""
    if coarse.cells == fine.cells:
        return values
    parents = _parents(coarse, fine)
    children = torch.bincount(parents, minlength=coarse.cells.count).clamp(min=1)
    cells = (values[..., coarse.prefix :] / children.to(values))[..., parents]
    return torch.cat([values[..., : coarse.prefix], cells], dim=-1)


def _parents(coarse: Site, fine: Site) -> Tensor:
    """Return the number of the coarse cell around the centre of every fine cell."""
    along = []
    for axis in range(3):
        centres = fine.cells.first[axis] + torch.arange(fine.cells.shape[axis]) * float(
            fine.cells.size[axis]
        )
        steps = (centres - coarse.cells.first[axis]) / coarse.cells.size[axis]
        along.append((steps + 0.5).floor().long().clamp(0, coarse.cells.shape[axis] - 1))
    f, h, w = torch.meshgrid(*along, indexing="ij")
    _, height, width = coarse.cells.shape
    return ((f * height + h) * width + w).flatten()


def _rows_that_count(places: Tensor) -> int:
    """Return how many first rows (k m g n) there are before nothing but zeros follows."""
    used = (places != 0).flatten(0, 2).any(0).nonzero()
    return int(used[-1]) + 1 if len(used) else 0


def _quotient(r: Tensor, norm: Tensor) -> Tensor:
    return torch.where(norm == 0, 0, r / norm)
