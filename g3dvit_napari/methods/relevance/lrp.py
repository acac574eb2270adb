"""Layer-wise relevance propagation (Bach et al., 2015) for convolutional networks."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.rules.rules import Rules
from g3dvit_napari.models.rules.splitting import Kind, Split


@METHODS.register(
    "LRP",
    signed=True,
    needs={"convolutions"},
    cost="one pass",
    reference="Bach et al., On Pixel-Wise Explanations ..., PLoS ONE 2015; Montavon et al., "
    "Layer-Wise Relevance Propagation: An Overview, 2019",
)
def lrp(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    rule: Kind = "gamma",
    epsilon: Annotated[float, {"min": 0, "max": 100, "step": 0.01}] = 1e-6,
    gamma: Annotated[float, {"min": 0, "max": 100, "step": 0.05}] = 0.25,
    alpha: Annotated[float, {"min": 1, "max": 10, "step": 0.5}] = 2.0,
) -> TokenMaps:
    """Hand the logit back from layer to layer, to the voxels.

    Voxel n gets r_n = Σ_c R_nc over input channels c, where every layer gives the relevance R_j of
    its output z_j = Σ_i x_i w_ij + b_j to its inputs, R_i = Σ_j (x_i w'_ij / z'_j) R_j. The rule
    says what w' and z' are; it holds for convolutions, while linear layers follow "epsilon". ReLU,
    pooling, sums and a batch norm behind no convolution pass relevance on by their own gradient; a
    batch norm behind a convolution is merged into it; other norms hold their standard deviation
    constant, activations like SiLU their gate. `biases` is what biases absorb, and
    `completeness_error` what the rule loses. The sign has a meaning: negative voxels speak against
    the class.

    The authors of one implementation of LRP state that LRP is patented and free for personal and
    scientific use only; this code is written from the formulas of the papers named above, which is
    no legal advice: ask before commercial use.

    Parameters
    ----------
    rule
        "epsilon": w' = w, z' = z + ε sign z. "gamma": parts x_i w_ij that have the sign of z_j
        count 1 + γ times. "z_plus": the positive x_i w_ij alone, and biases get nothing.
        "alpha_beta": α times the positive x_i w_ij and b_j less α - 1 times the negative ones, each
        divided by their own sum.
    epsilon
        ε, for linear layers in any case.
    gamma
        γ, of the rule "gamma".
    alpha
        α, of the rule "alpha_beta".
    """
    amounts = {"epsilon": epsilon, "gamma": gamma, "alpha_beta": alpha, "z_plus": 0.0}
    linear, convolution = Split("epsilon", epsilon), Split(rule, amounts[rule])
    return run.shares(targets, Rules(linear=linear, convolution=convolution), "voxels").maps()
