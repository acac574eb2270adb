"""I-SAW (Mallick et al., ICIP 2022), in our reading of its abstract."""

from __future__ import annotations

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import expect
from g3dvit_napari.models.attention.attention_maps import (
    attention_gradients,
    head_rows,
    head_weights,
    to_attention_maps,
)
from g3dvit_napari.models.attention.row_vectors import carried
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "I-SAW (our reading)",
    needs={"attention"},
    cost="one pass",
    reference="after Mallick et al., I-SAW, ICIP 2022, whose formula and code are not public",
)
def i_saw(run: ForwardPass, targets: tuple[int, ...]) -> TokenMaps:
    """Add up what all heads of all blocks attend to, weighted by each head's mean gradient.

    With A_lh the attention of head h in block l and ∇A_lh the gradient of the class's logit, token
    n gets r_n = Σ_l Σ_h w_lh · A_lh[cls, n], where w_lh is the mean of ∇A_lh[cls, j] over the
    patches j. Where the network averages its tokens, the mean over all query rows takes the place
    of the class token's, in A and in ∇A.

    The paper describes class-specific, weighted maps of self-attention; its formula could not be
    read, so this one is our reading and no reproduction. On networks that attend in windows and
    merge patches it is this project's own extension.
    """
    parts = [_weighted(run, gradients) for gradients in attention_gradients(run, targets)]
    values, magnitude = torch.cat(parts).unbind(1)
    return to_attention_maps(run, values, magnitude)


def _weighted(run: ForwardPass, gradients: tuple[Tensor, ...]) -> Tensor:
    """Return the sums over heads and blocks, and those of their terms' sizes (k 2 n)."""
    layers = run.attention()
    expect(run.tick, len(layers))

    def step(index: int, total: Tensor) -> Tensor:
        weights = head_weights(run, layers[index], gradients[index])
        rows = head_rows(run, layers[index])
        return total + torch.stack([weights @ rows, weights.abs() @ rows], dim=1)

    start = torch.zeros(len(gradients[0]), 2, layers[-1].site.tokens, dtype=torch.float64)
    return carried(layers, start, step, run.tick)
