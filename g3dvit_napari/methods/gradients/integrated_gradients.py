"""Integrated Gradients (Sundararajan, Taly and Yan, ICML 2017)."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.baselines import Baseline, baseline_of
from g3dvit_napari.models.sampling.input_maps import Path, along_path, completeness, voxel_maps
from g3dvit_napari.models.sampling.sampling import expect_gradients, scores


@METHODS.register(
    "Integrated Gradients",
    signed=True,
    cost="many passes",
    reference="Sundararajan et al., Axiomatic Attribution for Deep Networks, ICML 2017",
)
def integrated_gradients(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    steps: Annotated[int, {"min": 1, "max": 1000}] = 50,
    crowding: Annotated[int, {"min": 1, "max": 8}] = 1,
    baseline: Baseline = "blur",
    baseline_file: str = "",
    pooled: bool = False,
) -> TokenMaps:
    """Follow the explained number from a baseline to the image and add up what each voxel did.

    Voxel n gets r_n = Σ_c (x_cn - x'_cn) · ∫_0^1 ∂s/∂x_cn(x' + α (x - x')) dα, summed over the
    input channels c; the integral by Gauss and Legendre's nodes. Were it exact, the voxels would
    add up to s(x) - s(x'): how far they are from it is reported as the completeness error. A
    network that normalises each patch, as the vit_3d families do, jumps where patches begin to
    differ from a constant baseline: the nodes miss the jump and the error is large. There take
    "blur", or crowd the nodes. Places that equal the baseline x' get nothing. The sign has a
    meaning: negative voxels speak against the class.

    Parameters
    ----------
    steps
        Nodes of the integral, one forward and backward pass each.
    crowding
        Crowds the nodes towards the baseline, by α = t^crowding: 1 as published; 4 with 100 steps
        where the path jumps at its start.
    baseline
        Where the path begins: the image under a "blur" a tenth of its length wide, the commonest
        value on the outer faces ("background"), "zero", the "mean" of the image, or another volume
        ("file").
    baseline_file
        For the baseline "file" only: a volume with the shape and affine of the explained one.
    pooled
        Add up the voxels of each patch, for comparison with maps of tokens.
    """
    start = baseline_of(run, baseline, baseline_file)
    path = Path(start, steps, crowding)
    expect_gradients(run, steps)
    (compared,) = scores(run, start, 1, targets)
    found = along_path(run, run.image, targets, path)
    figures = completeness(run, found.values, targets, compared)
    return voxel_maps(run, found, figures, pooled=pooled)
