"""SmoothGrad (Smilkov et al., 2017) and its squared form (Hooker et al., 2019)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.baselines import Baseline, baseline_of
from g3dvit_napari.models.sampling.estimate import Estimate, error_figures
from g3dvit_napari.models.sampling.input_maps import (
    Path,
    VoxelMap,
    along_path,
    gradient_size,
    input_times_gradient,
    voxel_maps,
)
from g3dvit_napari.models.sampling.noise import noisy_copies
from g3dvit_napari.models.sampling.sampling import expect_gradients

Of = Literal["saliency", "input_x_gradient", "integrated_gradients"]


@METHODS.register(
    "SmoothGrad",
    signed=True,
    cost="many passes",
    reference="Smilkov et al., SmoothGrad, 2017, arXiv:1706.03825",
)
def smooth_grad(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    of: Of = "saliency",
    samples: Annotated[int, {"min": 2, "max": 1000}] = 25,
    noise: Annotated[float, {"min": 0.0, "max": 1.0, "step": 0.05}] = 0.15,
    squares: bool = False,
    steps: Annotated[int, {"min": 1, "max": 1000}] = 16,
    baseline: Baseline = "blur",
    baseline_file: str = "",
    seed: Annotated[int, {"min": 0}] = 0,
    pooled: bool = False,
) -> TokenMaps:
    """Average a map over noisy copies of the image, so that what is left does not hang on noise.

    Voxel n gets r_n = 1/S Σ_s m_n(x + ε_s), or the mean of m_n² ("squares"), where m is another
    method's map and ε_s is Gaussian noise. Its standard error over the samples is reported. With
    "saliency" and with squares no value is negative; else the sign has the meaning it has there.

    Parameters
    ----------
    of
        The map that is averaged: "saliency" (sizes of gradients), "input_x_gradient" or
        "integrated_gradients".
    samples
        Noisy copies, one map each.
    noise
        Standard deviation of the noise, as a share of the image's range (largest minus smallest).
    squares
        Average the squares of the maps instead.
    steps
        Nodes of the integral; for "integrated_gradients" only.
    baseline
        Where the integral's path begins; for "integrated_gradients" only.
    baseline_file
        For the baseline "file" only: a volume with the shape and affine of the explained one.
    seed
        Another seed draws other noise.
    pooled
        Add up the voxels of each patch, for comparison with maps of tokens.
    """
    one_map, gradients = _choice(run, of, steps, baseline, baseline_file)
    expect_gradients(run, samples * gradients)
    estimate, generator = Estimate(), torch.Generator().manual_seed(seed)
    for copy in noisy_copies(run.image, noise, samples, generator):
        found = one_map(run, copy, targets)
        if squares:
            estimate.add(found.values**2, found.magnitude**2)
        else:
            estimate.add(found.values, found.magnitude)
    figures = error_figures(estimate.standard_error)
    return voxel_maps(run, VoxelMap(estimate.mean, estimate.size), figures, pooled=pooled)


def _choice(
    run: ForwardPass, of: Of, steps: int, baseline: Baseline, file: str
) -> tuple[Callable[[ForwardPass, Tensor, tuple[int, ...]], VoxelMap], int]:
    """Return the map that is averaged, and how many gradients one takes."""
    if of == "integrated_gradients":
        start = baseline_of(run, baseline, file)
        return partial(along_path, path=Path(start, steps)), steps
    return (gradient_size if of == "saliency" else input_times_gradient), 1
