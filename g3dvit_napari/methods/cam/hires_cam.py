"""HiResCAM (Draelos and Carin, 2020), on tokens and feature maps."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.features import summed
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "HiResCAM",
    signed=True,
    needs={"features"},
    reference="Draelos and Carin, HiResCAM, 2020, arXiv:2011.08891",
)
def hires_cam(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Multiply features and gradients one by one and sum over features.

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution), patch n gets r_n = Σ_d g_nd · a_nd, with g the gradient of
    the class's logit. The sign has a meaning: negative patches speak against the class. At the last
    block of a Vision Transformer this is also known as class-discriminative attention map (CDAM).

    Parameters
    ----------
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    return summed(run, targets, block, lambda gradients, features: gradients * features)
