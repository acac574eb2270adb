"""Grad-CAM on attention weights, as the baseline of Chefer et al. (CVPR 2021)."""

from __future__ import annotations

from typing import Annotated

import torch

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import block_index
from g3dvit_napari.models.attention.attention_maps import (
    attention_gradients,
    head_rows,
    head_weights,
    to_attention_maps,
)
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "Attention Grad-CAM",
    needs={"attention"},
    reference="Chefer et al., CVPR 2021 (a baseline there); Selvaraju et al., Grad-CAM, ICCV 2017",
)
def attention_grad_cam(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Weigh what each head attends to by the head's mean gradient.

    With A_h the attention of head h and ∇A_h the gradient of the class's logit, token n gets
    r_n = mean_h w_h · A_h[cls, n], where w_h is the mean of ∇A_h[cls, j] over the patches j. Where
    the network averages its tokens, the mean over all query rows takes the place of the class
    token's, in A and in ∇A.

    Parameters
    ----------
    block
        The block whose attention is explained: 0 is the first, -1 the last.
    """
    layers = run.attention()
    layer = layers[block_index(block, len(layers))]
    parts = [head_weights(run, layer, first) for first, *_ in
             attention_gradients(run, targets, block)]  # fmt: skip
    weights, rows = torch.cat(parts), head_rows(run, layer)
    heads = len(rows)
    return to_attention_maps(run, weights @ rows / heads, weights.abs() @ rows / heads, block)
