"""Input times gradient (Shrikumar et al., 2016)."""

from __future__ import annotations

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.input_maps import input_times_gradient, voxel_maps
from g3dvit_napari.models.sampling.sampling import expect_gradients


@METHODS.register(
    "Input × gradient",
    signed=True,
    cost="one pass",
    reference="Shrikumar et al., Not Just a Black Box, 2016, arXiv:1605.01713",
)
def input_x_gradient(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    pooled: bool = False,
) -> TokenMaps:
    """Multiply every voxel by its gradient: what a linear network would owe to it.

    Voxel n gets r_n = Σ_c x_cn · ∂s/∂x_cn, summed over the input channels c. Voxels of intensity
    zero after normalisation get nothing, whatever they show: after a z-score that is tissue of mean
    intensity. The sign has a meaning: negative voxels speak against the class.

    Parameters
    ----------
    pooled
        Add up the voxels of each patch, for comparison with maps of tokens.
    """
    expect_gradients(run, 1)
    return voxel_maps(run, input_times_gradient(run, run.image, targets), pooled=pooled)
