"""Attention rollout (Abnar and Zuidema, ACL 2020)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention.attention import Piece
from g3dvit_napari.models.attention.attention_maps import same_for_all, to_attention_maps
from g3dvit_napari.models.attention.rollout import rolled_out
from g3dvit_napari.models.passes.forward import ForwardPass

Heads = Literal["mean", "max", "min"]
FUSED: dict[Heads, Callable[[Tensor], Tensor]] = {
    "mean": lambda weights: weights.mean(1),
    "max": lambda weights: weights.amax(1),
    "min": lambda weights: weights.amin(1),
}


@METHODS.register(
    "Attention rollout",
    class_specific=False,
    needs={"attention"},
    reference="Abnar and Zuidema, Quantifying Attention Flow in Transformers, ACL 2020",
)
def attention_rollout(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    heads: Heads = "mean",
    discard: Annotated[float, {"min": 0.0, "max": 1.0}] = 0.0,
    residual: Annotated[float, {"min": 0.0, "max": 1.0}] = 0.5,
) -> TokenMaps:
    """Follow attention through all blocks back to the patches; the same map for every class.

    With A_l the attention of block l, heads fused, and Ã_l = rownorm(½ A_l + ½ I), token n gets
    r_n = (Ã_L · … · Ã_1)[cls, n]. Where the network averages its tokens, the mean over all rows
    takes the place of the class token's.

    The widely used code vit-explain divides columns, not rows, by the sums of rows; this is the
    formula. On networks that attend in windows and merge patches it is this project's own
    extension.

    Parameters
    ----------
    heads
        How the heads are fused: their "mean" as in the paper, their "max" or their "min".
    discard
        The share of each row of the fused attention that is set to zero, smallest first, before
        rows are normalised; a token's attention to itself and to the class token is kept.
    residual
        The share of the identity, which stands for the skip connection.
    """

    def fuse(_index: int, piece: Piece, _which: int) -> Tensor:
        return FUSED[heads](piece.weights)

    row = rolled_out(run, fuse, count=1, discard=discard, residual=residual)
    return to_attention_maps(run, same_for_all(run, targets, row))
