"""KernelSHAP (Lundberg and Lee, NeurIPS 2017) on blocks of patches or regions."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.baselines import Baseline, baseline_of
from g3dvit_napari.models.sampling.game import Game
from g3dvit_napari.models.sampling.kernel_regression import kernel_shares
from g3dvit_napari.models.sampling.parts import parts_of


@METHODS.register(
    "KernelSHAP",
    signed=True,
    cost="many passes",
    reference="Lundberg and Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS "
    "2017; pairs and errors after Covert and Lee, AISTATS 2021",
)
def kernel_shap(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    samples: Annotated[int, {"min": 4, "max": 1000000}] = 1024,
    group: Annotated[int, {"min": 0, "max": 64}] = 0,
    regions: str = "",
    baseline: Baseline = "background",
    baseline_file: str = "",
    seed: Annotated[int, {"min": 0}] = 0,
) -> TokenMaps:
    """Share the explained number out fairly among blocks of patches, by a weighted regression.

    Block n gets r_n = φ_n, its Shapley value, from min_φ Σ_z w(z) (s(z) - s(∅) - Σ_n φ_n z_n)² with
    Σ_n φ_n = s(x) - s(∅). A coalition z shows the blocks with z_n = 1 and the baseline in
    place of the others. Of M blocks, its size k is drawn with a probability in proportion to
    (M - 1) / (k (M - k)), then the blocks, then it counts once, together with its complement; where
    there are no more coalitions than samples, each counts by its weight and the values are exact.
    The two conditions on the empty and the full coalition, often given a weight of a million, hold
    exactly here. Blocks that equal the baseline get zero and take no part. Reported are standard
    errors. The sign has a meaning: negative blocks speak against the class.

    Blocks may be the regions of an atlas: each patch counts to the label that most of its voxels
    carry, and a patch of label 0 to none; it is never hidden. A region's value is divided evenly
    among its patches, so that the map adds up to the values of all regions, which is s(x) - s(∅);
    ∅ hides all regions. The standard errors are those of undivided values.

    Parameters
    ----------
    samples
        Coalitions, one forward pass each: at least two more than twice the number of blocks.
    group
        Patches along each side of a block; 0: as few as make at most 200 blocks.
    regions
        An image of labels with the shape and affine of the explained volume; instead of a group.
    baseline
        What stands in place of an absent block: the commonest value on the outer faces
        ("background"), "zero", the "mean" of the image, the image under a "blur" a tenth of its
        length wide, or another volume ("file").
    baseline_file
        For the baseline "file" only: a volume with the shape and affine of the explained one.
    seed
        Another seed draws other coalitions.
    """
    parts = parts_of(run, group, regions)
    game = Game(run, parts, baseline_of(run, baseline, baseline_file), targets)
    return game.maps(kernel_shares(game, samples, seed))
