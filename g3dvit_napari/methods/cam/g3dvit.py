"""G3D-ViT's variant of Grad-CAM (published as code: G3D-ViT, NeuroEncoder)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.exact_sum import exact_sum
from g3dvit_napari.models.passes.forward import ForwardPass, gradient_chunks, to_maps

Pooling = Literal["mean", "max", "abs_mean", "relu_mean"]


@METHODS.register(
    "G3D-ViT",
    needs={"features"},
    keep_stage="patches",
    reference="G3D-ViT, the 3D Grad-CAM for Vision Transformers that this project carries on",
)
def g3dvit(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    pooling: Pooling = "mean",
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Weigh each token's summed features by its own pooled gradient.

    At the output a of an attention block's layer norm, token n gets r_n = ω_n · Σ_d a_nd, where
    ω_n pools the gradient g_nd of the class's logit over the features d of that token. Unlike
    Grad-CAM, which pools over tokens, the map sees a token's features through their sum alone: with
    a layer norm of weight one and bias zero that sum is zero, and the map is rounding noise.

    Parameters
    ----------
    pooling
        How the gradient is pooled over features: "mean" as published, "max" the largest (signed),
        "abs_mean" the mean size, "relu_mean" the mean of the positive part.
    block
        The block whose attention norm is explained: 0 is the first, -1 the last.
    """
    activations = run.activations(block)
    weight, size = _pooled(run, targets, pooling, block)
    values = weight * exact_sum(activations)
    return to_maps(run, values, size * exact_sum(activations.abs()), block)


def _pooled(
    run: ForwardPass, targets: tuple[int, ...], pooling: Pooling, block: int
) -> tuple[Tensor, Tensor]:
    """Return ω (k n) in float64, and the size of the terms behind it."""
    if pooling == "mean":
        mean, size = run.mean_gradients(targets, block)
        return mean.cpu().double(), size.cpu().double()
    parts = [_pool(gradients, pooling) for gradients in gradient_chunks(run, targets, block)]
    weight = torch.cat(parts)
    return weight, weight.abs()


def _pool(gradients: Tensor, pooling: Pooling) -> Tensor:
    if pooling == "max":
        return gradients.amax(-1).cpu().double()
    terms = gradients.abs() if pooling == "abs_mean" else gradients.relu()
    return exact_sum(terms) / gradients.shape[-1]
