"""Saliency (Simonyan, Vedaldi and Zisserman, 2013): the size of the gradient at the input."""

from __future__ import annotations

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.input_maps import gradient_size, voxel_maps
from g3dvit_napari.models.sampling.sampling import expect_gradients


@METHODS.register(
    "Saliency",
    cost="one pass",
    reference="Simonyan et al., Deep Inside Convolutional Networks, 2013, arXiv:1312.6034",
)
def saliency(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    pooled: bool = False,
) -> TokenMaps:
    """Show where the explained number would change most if a voxel did.

    Voxel n gets r_n = max_c |∂s/∂x_cn|, the largest over the input channels c. It says how
    sensitive the network is to a voxel, not what the voxel contributes.

    Parameters
    ----------
    pooled
        Add up the voxels of each patch, for comparison with maps of tokens.
    """
    expect_gradients(run, 1)
    return voxel_maps(run, gradient_size(run, run.image, targets), pooled=pooled)
