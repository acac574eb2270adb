"""Element-wise Grad-CAM, as published in the pytorch-grad-cam library."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.features import summed
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "Element-wise Grad-CAM",
    needs={"features"},
    reference="Gildenblat and contributors, pytorch-grad-cam, 2021 (GradCAMElementWise)",
)
def grad_cam_element_wise(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Sum the positive products of features and gradients.

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution), patch n gets r_n = Σ_d max(g_nd · a_nd, 0), with g the
    gradient of the class's logit. What speaks against the class in one feature cannot cancel what
    speaks for it in another.

    Parameters
    ----------
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    return summed(run, targets, block, lambda gradients, features: (gradients * features).relu())
