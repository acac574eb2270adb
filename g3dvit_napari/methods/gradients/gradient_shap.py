"""GradientSHAP, expected gradients (Lundberg and Lee, NeurIPS 2017; Erion et al., 2021)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.baselines import DERIVED, Baseline, baseline_of
from g3dvit_napari.models.sampling.estimate import Estimate, error_figures
from g3dvit_napari.models.sampling.input_maps import VoxelMap, completeness, on_the_way, voxel_maps
from g3dvit_napari.models.sampling.noise import noisy_copies
from g3dvit_napari.models.sampling.sampling import expect_gradients, scores


@METHODS.register(
    "GradientSHAP",
    signed=True,
    cost="many passes",
    reference="Lundberg and Lee, NeurIPS 2017; Erion et al., 2021, doi:10.1038/s42256-021-00343-w",
)
def gradient_shap(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    samples: Annotated[int, {"min": 2, "max": 10000}] = 50,
    noise: Annotated[float, {"min": 0.0, "max": 1.0, "step": 0.05}] = 0.05,
    baseline: Literal[Baseline, "any"] = "blur",
    baseline_file: str = "",
    seed: Annotated[int, {"min": 0}] = 0,
    pooled: bool = False,
) -> TokenMaps:
    """Integrate gradients at random places of paths between baselines and noisy images.

    Voxel n gets r_n = 1/S Σ_s Σ_c (x_s - x'_s)_cn · ∂s/∂x_cn(x'_s + u_s (x_s - x'_s)), summed over
    the input channels c, where x_s is the image plus Gaussian noise, x'_s a baseline drawn from a
    set, and u_s is uniform between 0 and 1. The set is one baseline, or "any" of the four that
    come from the image itself. Reported
    are the standard error over the samples, and how far the voxels are from adding up to the
    difference between s(x) and the mean score of the drawn baselines. The sign has a meaning:
    negative voxels speak against the class.

    Parameters
    ----------
    samples
        Places, one forward and backward pass each.
    noise
        Standard deviation of the noise, as a share of the image's range (largest minus smallest).
    baseline
        Where the paths begin: the image under a "blur" a tenth of its length wide, the commonest
        value on the outer faces ("background"), "zero", the "mean" of the image, "any" of them, or
        another volume ("file"). Networks that normalise each patch, as the vit_3d families do, jump
        at the three that are constant; few random places meet the jump, and the completeness error
        is large.
    baseline_file
        For the baseline "file" only: a volume with the shape and affine of the explained one.
    seed
        Another seed draws other places, baselines and noise.
    pooled
        Add up the voxels of each patch, for comparison with maps of tokens.
    """
    kinds = DERIVED if baseline == "any" else (baseline,)
    starts = torch.cat([baseline_of(run, kind, baseline_file) for kind in kinds])
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(samples, generator=generator, dtype=torch.float64)
    chosen = torch.randint(len(starts), (samples,), generator=generator)
    expect_gradients(run, samples)
    compared = scores(run, starts, len(starts), targets)[chosen].mean(0)
    estimate = Estimate()
    copies = noisy_copies(run.image, noise, samples, generator)
    for place, number, copy in zip(places.tolist(), chosen.tolist(), copies, strict=True):
        start = starts[number : number + 1]
        difference = copy - start
        estimate.add(*on_the_way(run, start + place * difference, targets, difference))
    found = VoxelMap(estimate.mean, estimate.size)
    complete = completeness(run, found.values, targets, compared)
    errors = error_figures(estimate.standard_error)
    figures = tuple({**one, **other} for one, other in zip(complete, errors, strict=True))
    return voxel_maps(run, found, figures, pooled=pooled)
