"""Grad-CAM (Selvaraju et al., ICCV 2017), on the tokens of a Vision Transformer."""

from __future__ import annotations

from typing import Annotated

import torch

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.forward import ForwardPass, exact_sum, gradient_chunks, to_maps


@METHODS.register(
    "Grad-CAM",
    needs={"features"},
    reference="Selvaraju et al., Grad-CAM, ICCV 2017, doi:10.1109/ICCV.2017.74",
)
def grad_cam(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Weigh each feature by its gradient averaged over all patches.

    At the output a of an attention block's layer norm, token n gets r_n = Σ_d α_d · a_nd, where α_d
    is the mean over the patches of the gradient g_nd of the class's logit.

    Parameters
    ----------
    block
        The block whose attention norm is explained: 0 is the first, -1 the last.
    """
    first, activations = run.site(block).prefix, run.activations(block).cpu().double()
    chunks = gradient_chunks(run, targets, block)
    summed = torch.cat([exact_sum(gradients[:, first:], 1) for gradients in chunks])
    weights = summed / (len(activations) - first)
    return to_maps(run, weights @ activations.T, weights.abs() @ activations.T.abs(), block)
