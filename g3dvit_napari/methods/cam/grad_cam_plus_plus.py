"""Grad-CAM++ (Chattopadhyay et al., WACV 2018), on tokens and feature maps."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.features import cell_features, cell_gradients, weighted
from g3dvit_napari.models.passes.forward import ForwardPass

TINY = 1e-6  # a denominator 2 + g Σ a this small is rounding error


@METHODS.register(
    "Grad-CAM++",
    needs={"features"},
    reference="Chattopadhyay et al., Grad-CAM++, WACV 2018, doi:10.1109/WACV.2018.00097",
)
def grad_cam_plus_plus(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Weigh each feature by its positive gradients, those of its few strong patches most.

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution) and the gradient g of the class's logit, patch n gets
    r_n = Σ_d w_d · a_nd, where w_d = Σ_m max(g_md, 0) · κ_md and, by equation 19 of the paper,
    κ_md = g_md² / (2 g_md² + g_md³ Σ_j a_jd), which is 1 / (2 + g_md Σ_j a_jd).

    The paper has features that are never negative in mind. Behind a layer norm they may be, and so
    may κ, which is large where its denominator is nearly zero, and set to zero below 1e-6. Nothing
    is added to the denominator, and nothing multiplied by the exponential of the logit, as some
    programs do: the exponential drops out of κ, and scales the map as a whole otherwise.

    Parameters
    ----------
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    features = cell_features(run, block)
    total, reach = features.sum(0), features.abs().sum(0)
    # Class by class: the last bits of a gradient can matter here, and depend on the others' number.
    found = [
        _weights(gradients.cpu().double(), total, reach)
        for target in targets
        for (gradients,) in cell_gradients(run, (target,), block)
    ]
    weights, sizes = (torch.stack(parts) for parts in zip(*found, strict=True))
    return weighted(run, weights, sizes, block)


def _weights(gradients: Tensor, total: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Return w (d) of one class, and the size of what rounding errors in it come from."""
    below = 2 + gradients * total
    kappa = torch.where(below.abs() < TINY, 0, 1 / below)
    terms = gradients.relu() * kappa
    lost = (2 + gradients.abs() * reach) * kappa.abs()  # how many digits the denominator lacks
    return terms.sum(0), (terms.abs() * lost).sum(0)
