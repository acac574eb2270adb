"""Grad-CAM (Selvaraju et al., ICCV 2017), on tokens and feature maps."""

from __future__ import annotations

from typing import Annotated

import torch

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.exact_sum import exact_sum
from g3dvit_napari.models.features.features import cell_gradients, weighted
from g3dvit_napari.models.passes.forward import ForwardPass


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

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution), patch n gets r_n = Σ_d α_d · a_nd, where α_d is the mean over
    the patches of the gradient g_nd of the class's logit.

    Parameters
    ----------
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    parts = [exact_sum(g, 1) / g.shape[1] for g in cell_gradients(run, targets, block)]
    weights = torch.cat(parts)
    return weighted(run, weights, weights.abs(), block)
