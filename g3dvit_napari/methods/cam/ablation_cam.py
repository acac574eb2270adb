"""Ablation-CAM (Desai and Ramaswamy, WACV 2020), on tokens and feature maps."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.features import cell_features, most_varied, placed
from g3dvit_napari.models.passes.forward import ForwardPass

TINY = 1e-9  # keeps the quotient finite; the map is scaled as a whole anyway


@METHODS.register(
    "Ablation-CAM",
    needs={"features"},
    cost="many passes",
    reference="Desai and Ramaswamy, Ablation-CAM, WACV 2020, doi:10.1109/WACV45572.2020.9093360",
)
def ablation_cam(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    features: Annotated[int, {"min": 0, "max": 65536}] = 0,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Weigh each feature by how much of the logit is lost without it.

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution), patch n gets r_n = Σ_d w_d · a_nd, where w_d = (s - s_d) /
    |s|, s is the class's logit, and s_d what is left of it when feature d is zero at every token.
    The paper divides by s, which a negative logit would turn into the opposite map. No gradient
    takes part.

    Only what is behind the features runs again for each of them. In front of the last attention of
    a class-token network that costs next to nothing; elsewhere it takes long.

    Parameters
    ----------
    features
        How many features are taken away, one at a time: those that vary most over the patches; 0
        for all.
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    tokens = cell_features(run, block)
    chosen = most_varied(tokens, features or tokens.shape[1])
    tokens = tokens[:, chosen]
    score = run.objective.scores(run.logits, targets).cpu().double()[:, None]
    left = run.scores_without(chosen.tolist(), targets, block).T
    whole = score.abs().clamp(min=TINY)
    weights = (score - left) / whole
    # The rounding errors of passes are as good as independent: together they grow like a root.
    error = ((score.abs() + left.abs()) / whole).square() @ tokens.T.square()
    magnitude = weights.abs() @ tokens.T.abs() + error.sqrt()
    return placed(run.site(block).cells, weights @ tokens.T, magnitude)
