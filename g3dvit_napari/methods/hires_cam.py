"""HiResCAM (Draelos and Carin, 2020), on the tokens of a Vision Transformer."""

from __future__ import annotations

from typing import Annotated

import torch

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.forward import ForwardPass, exact_sum, gradient_chunks, to_maps


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

    At the output a of an attention block's layer norm, token n gets r_n = Σ_d g_nd · a_nd, with g
    the gradient of the class's logit. The sign has a meaning: negative tokens speak against the
    class.

    Parameters
    ----------
    block
        The block whose attention norm is explained: 0 is the first, -1 the last.
    """
    activations = run.activations(block)
    values, magnitude = [], []
    for gradients in gradient_chunks(run, targets, block):
        terms = gradients * activations
        values.append(exact_sum(terms))
        magnitude.append(exact_sum(terms.abs_()))
    return to_maps(run, torch.cat(values), torch.cat(magnitude), block)
