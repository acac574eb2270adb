"""XGrad-CAM (Fu et al., BMVC 2020), on tokens and feature maps."""

from __future__ import annotations

from typing import Annotated

import torch

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.exact_sum import exact_sum
from g3dvit_napari.models.features.features import cell_features, cell_gradients, weighted
from g3dvit_napari.models.passes.forward import ForwardPass

TINY = 1e-6  # a sum this small beside that of the sizes is rounding error


@METHODS.register(
    "XGrad-CAM",
    needs={"features"},
    reference="Fu et al., Axiom-based Grad-CAM, BMVC 2020, arXiv:2008.02312",
)
def x_grad_cam(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    absolute: bool = False,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Weigh each feature by its gradients, averaged in proportion to the feature itself.

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution) and the gradient g of the class's logit, patch n gets
    r_n = Σ_d w_d · a_nd, where w_d = Σ_m g_md · a_md / Σ_m a_md.

    The paper has features that are never negative in mind. Behind a layer norm those of one kind
    may add up to nearly zero, and then they rule the map; where nothing but rounding error is left
    of their sum, they are left out.

    Parameters
    ----------
    absolute
        Divide by Σ_m |a_md| instead, which is never small beside the features. Not in the paper.
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    features, taken = cell_features(run, block), run.activations(block)[run.site(block).prefix :]
    reach = features.abs().sum(0)
    total = reach if absolute else features.sum(0)
    share = torch.where(total.abs() <= TINY * reach, 0, 1 / total)
    weights, sizes = [], []
    for gradients in cell_gradients(run, targets, block):
        terms = gradients * taken
        weights.append(exact_sum(terms, 1) * share)
        sizes.append(exact_sum(terms.abs_(), 1) * share.abs() * (reach * share).abs())
    return weighted(run, torch.cat(weights), torch.cat(sizes), block)
