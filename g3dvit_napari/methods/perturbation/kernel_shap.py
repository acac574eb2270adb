"""KernelSHAP (Lundberg and Lee, NeurIPS 2017) on blocks of patches."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.baselines import Baseline, baseline_of
from g3dvit_napari.models.forward import ForwardPass
from g3dvit_napari.models.game import Game
from g3dvit_napari.models.kernel_regression import kernel_shares


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
    baseline: Baseline = "background",
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

    Parameters
    ----------
    samples
        Coalitions, one forward pass each: at least two more than twice the number of blocks.
    group
        Patches along each side of a block; 0: as few as make at most 200 blocks.
    baseline
        What stands in place of an absent block: the commonest value on the outer faces
        ("background"), "zero", the "mean" of the image, or the image under a "blur" a tenth of its
        length wide.
    seed
        Another seed draws other coalitions.
    """
    game = Game(run, group, baseline_of(run.image, baseline), targets)
    return game.maps(kernel_shares(game, samples, seed))
