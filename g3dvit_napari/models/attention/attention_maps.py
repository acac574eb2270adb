"""What attention methods share: which row reads the answer, classes in batches, maps with a remark.

row(M) is the row of a matrix over tokens that the network's answer is read from: the class token's
where it alone is read, else the mean over all query rows, as behind mean pooling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.models.as_found.capture import block_index, expect
from g3dvit_napari.models.attention.attention import AttentionLayer, wide
from g3dvit_napari.models.attention.row_vectors import row_times
from g3dvit_napari.models.passes.forward import ForwardPass, to_maps
from g3dvit_napari.models.probing.anatomy import Site

GRADIENT_BYTES = 256 * 2**20  # of ∇o held at a time, over all blocks
WINDOWED = (
    "the network attends in windows and merges patches, for which the paper gives no formula; "
    "carrying the map through them, each patch's value split equally among those it was merged "
    "from, is this project's own extension"
)


def reading_row(run: ForwardPass, site: Site) -> Tensor:
    """Return the row vector r (t), float64, with row(M) = r M."""
    row = torch.zeros(site.tokens, dtype=torch.float64)
    if run.model.anatomy.pool == "cls" and site.prefix:
        row[0] = 1
    else:
        row[:] = 1 / site.tokens
    return row


def head_rows(run: ForwardPass, layer: AttentionLayer) -> Tensor:
    """Return row(A_h) of every head (h t), float64."""
    row = reading_row(run, layer.site).expand(1, layer.q.shape[1], -1)
    return row_times(layer, row, lambda piece, _which: piece.weights)[1][0]


def head_weights(run: ForwardPass, layer: AttentionLayer, mixed: Tensor) -> Tensor:
    """Return the mean of row(∇A_h) over the cells (k h), float64, given ∇o (k g h r e).

    With ∇A_h[i, j] = ∇o_h[i] · v_h[j] that is a product of two sums, one over i and one over j.
    """
    mixed, v = wide(mixed), wide(layer.v)
    over_rows = layer.placed(reading_row(run, layer.site))[:, : mixed.shape[3]]
    cells = torch.ones(layer.site.tokens, dtype=torch.float64) / layer.site.cells.count
    cells[: layer.site.prefix] = 0
    read = torch.einsum("gr,kghre->kghe", over_rows.to(mixed.dtype).to(mixed.device), mixed)
    values = torch.einsum("gn,ghne->ghe", layer.placed(cells).to(v.dtype).to(v.device), v)
    return torch.einsum("kghe,ghe->kh", read, values).cpu().double()


def attention_gradients(
    run: ForwardPass, targets: Sequence[int], first: int = 0, *, skip_only: bool = False
) -> Iterator[tuple[Tensor, ...]]:
    """Yield the ∇o (k g h r e) of blocks from `first` on, for so many classes that they stay small.

    See `ForwardPass.attention_gradients`.
    """
    layers = run.attention()
    layers = layers[block_index(first, len(layers)) :]
    parts = list(class_parts(targets, sum(layer.q.nbytes for layer in layers)))
    expect(run.tick, (len(parts) - 1) * len(layers))
    for part in parts:
        yield run.attention_gradients(part, first, skip_only=skip_only)


def class_parts(targets: Sequence[int], one_class: int) -> Iterator[Sequence[int]]:
    """Yield so many classes at a time that what each of them needs (bytes) stays small."""
    step = max(1, GRADIENT_BYTES // one_class)
    for start in range(0, len(targets), step):
        yield targets[start : start + step]


def to_attention_maps(
    run: ForwardPass, values: Tensor, magnitude: Tensor | None = None, block: int | None = None
) -> TokenMaps:
    """Turn values of all tokens (k n) into maps; None: sums of terms that are never negative.

    `block` says whose cells they are; None: those of the first one, to which a map was carried.
    Where that took windows and merged patches, the maps say so.
    """
    maps = to_maps(run, values, values.abs() if magnitude is None else magnitude, block)
    extended = block is None and run.model.anatomy.attention == "windows"
    return replace(maps, remarks=(WINDOWED,)) if extended else maps


def same_for_all(run: ForwardPass, targets: Sequence[int], values: Tensor) -> Tensor:
    """Repeat a row (1 n) that knows nothing of classes for each of them (k n), if they exist."""
    run.objective.scores(run.logits, targets)
    return values.expand(len(targets), -1)
