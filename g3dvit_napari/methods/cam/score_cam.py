"""Score-CAM (Wang et al., CVPR Workshops 2020), on tokens and feature maps."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.features import cell_features, most_varied, placed
from g3dvit_napari.models.features.upsampling import Upsampling
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.sampling import scores


@METHODS.register(
    "Score-CAM",
    needs={"features"},
    cost="many passes",
    reference="Wang et al., Score-CAM, CVPR Workshops 2020, doi:10.1109/CVPRW50498.2020.00020",
)
def score_cam(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    features: Annotated[int, {"min": 0, "max": 65536}] = 64,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Weigh each feature by the class's logit for the volume seen through that feature alone.

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution), patch n gets r_n = Σ_d w_d · a_nd, where w = softmax over d
    of s(x ⊙ M_d): the class's logit of the volume x times a mask, which is the feature's map
    brought to voxels and stretched to 0…1. No gradient takes part. What is masked becomes zero, so
    the method suits volumes whose background or mean is zero.

    Parameters
    ----------
    features
        How many features are tried, one pass each: those that vary most over the patches; 0 for
        all, as published.
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    tokens, site = cell_features(run, block), run.site(block)
    chosen = tokens[:, most_varied(tokens, features or tokens.shape[1])]
    image, grid = run.image[0], Upsampling(site.cells, run.image.shape[2:])
    maps = chosen.T.to(image).reshape(-1, *site.cells.shape)
    masked = (image * _stretched(grid(one)) for one in maps)
    weights = scores(run, masked, len(maps), targets).softmax(0).T
    return placed(site.cells, weights @ chosen.T, weights @ chosen.T.abs())


def _stretched(mask: Tensor) -> Tensor:
    """Scale to 0…1; a map that is the same everywhere becomes zero."""
    low, high = mask.min(), mask.max()
    return (mask - low) / (high - low) if high > low else mask - mask
