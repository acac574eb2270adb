"""Generic attention explainability (Chefer et al., ICCV 2021)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention.attention import Piece
from g3dvit_napari.models.attention.attention_maps import attention_gradients, to_attention_maps
from g3dvit_napari.models.attention.rollout import accumulated
from g3dvit_napari.models.passes.forward import ForwardPass


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
    rows = [
        accumulated(run, partial(_fused, gradients), count=len(gradients[0]))
        for gradients in attention_gradients(run, targets)
    ]
    return to_attention_maps(run, torch.cat(rows))


def _fused(gradients: tuple[Tensor, ...], index: int, piece: Piece, which: int) -> Tensor:
    """Return Ā (g r n) of a piece of a block, for one of the classes."""
    return (piece.weights * piece.gradient(gradients[index][which])).relu().mean(1)
