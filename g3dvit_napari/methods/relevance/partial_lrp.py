"""Partial layer-wise relevance propagation (Voita et al., ACL 2019)."""

from __future__ import annotations

from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention.attention import Piece
from g3dvit_napari.models.attention.attention_maps import reading_row, to_attention_maps
from g3dvit_napari.models.attention.row_vectors import row_times
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "Partial LRP",
    needs={"global attention"},
    reference="Voita et al., Analyzing Multi-Head Self-Attention, ACL 2019; on Vision Transformers "
    "as in Chefer et al., CVPR 2021",
)
def partial_lrp(run: ForwardPass, targets: tuple[int, ...]) -> TokenMaps:
    """Show the relevance of the last block's attention for the class, without any gradient.

    With R_h the relevance of the attention A_h of head h in the last block, token n gets
    r_n = mean_h relu(R_h[cls, n]). Relevance starts as one at the class and goes back only through
    the head, the last feed-forward and projection layers to A_h: a linear layer shares it among the
    inputs whose contributions are positive, those of positive and of negative inputs by themselves,
    so that it doubles; a residual among both branches by their values; the product A_h v among both
    factors, half each; norms and activations pass it on. Where the network averages its tokens, the
    mean over all rows takes the place of the class token's. What is explained of several classes (a
    probability, a contrast) is taken for an output of the last layer.

    The authors of one implementation of layer-wise relevance propagation (LRP) state that LRP is
    patented and free for personal and scientific use only; this code is written from the formulas
    of the papers named above, which is no legal advice: ask before commercial use.
    """
    layer = run.attention()[-1]
    (relevance,) = run.attention_relevance(targets, -1, partial=True)

    def matrix(piece: Piece, which: int) -> Tensor:
        return (piece.weights * piece.gradient(relevance[which]) / 2).relu().mean(1, keepdim=True)

    row = reading_row(run, layer.site).expand(len(targets), 1, -1)
    _, moved = row_times(layer, row, matrix)
    return to_attention_maps(run, moved[:, 0], block=-1)
