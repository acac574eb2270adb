"""Transformer attribution (Chefer et al., CVPR 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import expect
from g3dvit_napari.models.attention.attention import Piece
from g3dvit_napari.models.attention.attention_maps import class_parts, to_attention_maps
from g3dvit_napari.models.attention.rollout import accumulated
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "Transformer attribution",
    needs={"global attention"},
    cost="one pass",
    reference="Chefer et al., Transformer Interpretability Beyond Attention Visualization, CVPR "
    "2021",
)
def transformer_attribution(run: ForwardPass, targets: tuple[int, ...]) -> TokenMaps:
    """Follow attention weighed by its relevance and its gradient through all blocks.

    With R_lh the relevance of the attention A_lh of head h in block l, carried back from the class
    by relevance propagation, ∇A_lh the gradient of the class's logit, and
    C_l = I + mean_h relu(∇A_lh ⊙ R_lh), token n gets r_n = (C_L · … · C_1)[cls, n]. As in the
    authors' code, rows are not normalised. Where the network averages its tokens, the mean over all
    rows takes the place of the class token's, less what the identity alone adds to every token.

    Relevance starts as one at the class. A linear layer shares it among the inputs that agree with
    its weights in sign, a residual among both branches by their values and then by the sizes of
    their sums, a product of two matrices among both factors, half each, and an average by the
    values of the tokens; norms, activations and the softmax pass it on. The network is used as it
    is: no training again and no other weights. What is explained of several classes (a probability,
    a contrast) is taken for an output of the last layer.

    These rules belong to those known as layer-wise relevance propagation (LRP). The authors of one
    LRP implementation state that LRP is patented and free for personal and scientific use only;
    this code is written from the formulas of the paper named above, which is no legal advice: ask
    before commercial use.
    """
    layers = run.attention()
    parts = list(class_parts(targets, 2 * sum(layer.q.nbytes for layer in layers)))
    expect(run.tick, (2 * len(parts) - 1) * len(layers))
    return to_attention_maps(run, torch.cat([_relevance(run, part) for part in parts]))


def _relevance(run: ForwardPass, targets: Sequence[int]) -> Tensor:
    """Return row(J − I), J the product of all C, one per class (k n)."""
    gradients, relevance = run.attention_gradients(targets), run.attention_relevance(targets)
    return accumulated(run, partial(_fused, gradients, relevance), count=len(targets))


def _fused(
    gradients: tuple[Tensor, ...],
    relevance: tuple[Tensor, ...],
    index: int,
    piece: Piece,
    which: int,
) -> Tensor:
    """Return mean_h relu(∇A ⊙ R) of a piece of a block (g r n), with R = ½ A ⊙ (t vᵀ)."""
    at_weights = piece.weights * piece.gradient(relevance[index][which]) / 2
    return (at_weights * piece.gradient(gradients[index][which])).relu().mean(1)
