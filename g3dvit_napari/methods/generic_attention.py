"""Generic attention explainability (Chefer et al., ICCV 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention import Piece
from g3dvit_napari.models.attention_maps import (
    attention_gradients,
    reading_row,
    to_attention_maps,
)
from g3dvit_napari.models.capture import expect
from g3dvit_napari.models.forward import ForwardPass
from g3dvit_napari.models.row_vectors import carried, row_times


@METHODS.register(
    "Generic attention explainability",
    needs={"attention"},
    cost="one pass",
    reference="Chefer et al., Generic Attention-model Explainability, ICCV 2021",
)
def generic_attention(run: ForwardPass, targets: tuple[int, ...]) -> TokenMaps:
    """Add up, block by block, what tokens pass on to each other in favour of the class.

    With Ā_l = mean_h relu(∇A_lh ⊙ A_lh), ∇ the gradient of the class's logit, R starts as the
    identity and grows by R ← R + Ā_l R from the first block to the last. Token n gets
    r_n = (R − I)[cls, n]. Where the network averages its tokens, the mean over all rows takes the
    place of the class token's; the identity would then add the same to every token.

    On networks that attend in windows and merge patches it is this project's own extension.
    """
    parts = [_relevance(run, gradients) for gradients in attention_gradients(run, targets)]
    return to_attention_maps(run, torch.cat(parts))


def _relevance(run: ForwardPass, gradients: tuple[Tensor, ...]) -> Tensor:
    """Return row(R − I), one per class (k n).

    row(R) = row(I) (I + Ā_L) … (I + Ā_1). What comes of the identity alone, row(I), is carried
    beside the rest: subtracted at the end it would leave rounding errors of its own size.
    """
    layers = run.attention()
    expect(run.tick, len(layers))

    def step(index: int, r: Tensor) -> Tensor:
        def matrix(piece: Piece, which: int) -> Tensor:
            terms = piece.weights * piece.gradient(gradients[index][which])
            return terms.relu().mean(1, keepdim=True)

        _, moved = row_times(layers[index], r.sum(1, keepdim=True), matrix)
        return torch.cat([r[:, :1], r[:, 1:] + moved], dim=1)

    row = reading_row(run, layers[-1].site)
    start = torch.stack([row, torch.zeros_like(row)]).expand(len(gradients[0]), -1, -1)
    return carried(layers, start, step, run.tick)[:, 1]
