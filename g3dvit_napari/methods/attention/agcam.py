"""Attention-Guided CAM (Leem and Seo, AAAI 2024)."""

from __future__ import annotations

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import expect
from g3dvit_napari.models.attention.attention import AttentionLayer, Piece
from g3dvit_napari.models.attention.attention_maps import (
    attention_gradients,
    reading_row,
    to_attention_maps,
)
from g3dvit_napari.models.attention.row_vectors import carried, row_times
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "Attention-Guided CAM",
    needs={"attention"},
    reference="Leem and Seo, Attention Guided CAM, AAAI 2024, arXiv:2402.04563",
)
def agcam(run: ForwardPass, targets: tuple[int, ...]) -> TokenMaps:
    """Multiply gradients that came along the skip path with the scores behind attention.

    With S_lh the scores of head h in block l, A_lh = softmax(S_lh), and ∇A_lh the gradient of the
    class's logit when the input of every attention is held constant, token n gets
    r_n = Σ_l Σ_h relu(∇A_lh[cls, n]) · sigmoid(S_lh[cls, n]). Where the network averages its
    tokens, the mean over all query rows takes the place of the class token's, for each of the two
    factors.

    On networks that attend in windows and merge patches it is this project's own extension.
    """
    parts = [
        _guided(run, gradients) for gradients in attention_gradients(run, targets, skip_only=True)
    ]
    return to_attention_maps(run, torch.cat(parts))


def _guided(run: ForwardPass, gradients: tuple[Tensor, ...]) -> Tensor:
    """Return the sums over heads and blocks (k n)."""
    layers = run.attention()
    expect(run.tick, len(layers))

    def step(index: int, total: Tensor) -> Tensor:
        row = reading_row(run, layers[index].site)
        guide, felt = _guide(layers[index], row), _felt(layers[index], row, gradients[index])
        return total + (felt * guide).sum(1, keepdim=True)

    start = torch.zeros(len(gradients[0]), 1, layers[-1].site.tokens, dtype=torch.float64)
    return carried(layers, start, step, run.tick)[:, 0]


def _guide(layer: AttentionLayer, row: Tensor) -> Tensor:
    """Return row(sigmoid(S_h)) of every head (h t)."""
    rows = row.expand(1, layer.q.shape[1], -1)
    return row_times(layer, rows, lambda piece, _which: piece.scores.sigmoid())[1][0]


def _felt(layer: AttentionLayer, row: Tensor, mixed: Tensor) -> Tensor:
    """Return row(relu(∇A_h)) of every head (k h t), given ∇o (k g h r e)."""

    def matrix(piece: Piece, which: int) -> Tensor:
        return piece.gradient(mixed[which]).relu()

    return row_times(layer, row.expand(len(mixed), layer.q.shape[1], -1), matrix)[1]
