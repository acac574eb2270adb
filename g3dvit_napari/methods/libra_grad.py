"""LibraGrad (Mehri et al., CVPR 2025): input times balanced gradient, at the tokens."""

from __future__ import annotations

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.forward import ForwardPass, to_maps


@METHODS.register(
    "LibraGrad",
    signed=True,
    needs={"own blocks"},
    cost="one pass",
    reference="Mehri et al., LibraGrad, CVPR 2025; attention rule of Ali et al., ICML 2022",
)
def libra_grad(run: ForwardPass, targets: tuple[int, ...]) -> TokenMaps:
    """Give each token its exact share of the logit, by balanced gradients through all blocks.

    At the tokens z entering the first block, token n gets r_n = Σ_d z_nd · ∇z_nd. On the way back
    the standard deviation of every layer norm, the gate Φ(x) of GELU = x·Φ(x) and the attention
    weights are held constant, so that the shares of all tokens and of the biases add up to the
    logit exactly. The sign has a meaning: negative tokens speak against the class.

    These rules coincide with some of those known as layer-wise relevance propagation (LRP). The
    authors of one LRP implementation state that LRP is patented and free for personal and
    scientific use only; this code is written from the formulas of the papers named above, which is
    no legal advice: ask before commercial use.
    """
    found = run.balanced(targets)
    return to_maps(run, found.relevance, found.magnitude)
