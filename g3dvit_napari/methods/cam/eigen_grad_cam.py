"""Eigen-Grad-CAM, as published in the pytorch-grad-cam library."""

from __future__ import annotations

from typing import Annotated

import torch

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.features import cell_features, cell_gradients, placed
from g3dvit_napari.models.features.principal import projection
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "Eigen-Grad-CAM",
    needs={"features"},
    reference="Gildenblat and contributors, pytorch-grad-cam, 2021 (EigenGradCAM)",
)
def eigen_grad_cam(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Show where the products of features and gradients vary together most.

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution), the gradient g of the class's logit and m_nd = g_nd · a_nd,
    patch n gets r_n = Σ_d (m_nd - m̄_d) · v_d, where m̄ is the mean over the patches and v the
    first right singular vector of m - m̄. The sign of v is arbitrary: it is chosen such that the
    value largest in size is positive.

    Parameters
    ----------
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    features = cell_features(run, block)
    found = [
        projection(gradients.cpu().double() * features)
        for some in cell_gradients(run, targets, block)
        for gradients in some
    ]
    values, magnitude = (torch.stack(parts) for parts in zip(*found, strict=True))
    return placed(run.site(block).cells, values, magnitude)
