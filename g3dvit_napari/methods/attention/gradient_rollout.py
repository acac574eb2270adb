"""Gradient rollout: attention rollout with each weight multiplied by its gradient."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention.attention import Piece
from g3dvit_napari.models.attention.attention_maps import attention_gradients, to_attention_maps
from g3dvit_napari.models.attention.rollout import rolled_out
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "Gradient rollout",
    needs={"attention"},
    cost="one pass",
    reference="Gildenblat, vit-explain, 2020; after Abnar and Zuidema, ACL 2020",
)
def gradient_rollout(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    discard: Annotated[float, {"min": 0.0, "max": 1.0}] = 0.0,
    residual: Annotated[float, {"min": 0.0, "max": 1.0}] = 0.5,
) -> TokenMaps:
    """Follow attention that speaks for the class through all blocks back to the patches.

    With M_l = relu(mean_h A_lh ⊙ ∇A_lh), ∇ the gradient of the class's logit, and Ã_l =
    rownorm(½ M_l + ½ I), token n gets r_n = (Ã_L · … · Ã_1)[cls, n]. Where the network averages its
    tokens, the mean over all rows takes the place of the class token's; the identity then adds
    nearly the same to every token.

    vit-explain, where the method comes from, pairs the gradients of each block with the attention
    of another one; this is the formula. On networks that attend in windows and merge patches it is
    this project's own extension.

    Parameters
    ----------
    discard
        The share of each row of M that is set to zero, smallest first, before rows are normalised;
        what a token gets from itself and from the class token is kept.
    residual
        The share of the identity, which stands for the skip connection.
    """
    rows = []
    for gradients in attention_gradients(run, targets):
        fuse, count = partial(_fused, gradients), len(gradients[0])
        rows.append(rolled_out(run, fuse, count=count, discard=discard, residual=residual))
    return to_attention_maps(run, torch.cat(rows))


def _fused(gradients: tuple[Tensor, ...], index: int, piece: Piece, which: int) -> Tensor:
    """Return M (g r n) of a piece of a block, for one of the classes."""
    return (piece.weights * piece.gradient(gradients[index][which])).mean(1).relu()
