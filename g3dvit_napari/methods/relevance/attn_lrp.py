"""AttnLRP (Achtibat et al., ICML 2024): relevance through values and attention weights."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.rules.rules import Rules
from g3dvit_napari.models.rules.shares import At
from g3dvit_napari.models.rules.splitting import Split


@METHODS.register(
    "AttnLRP",
    signed=True,
    cost="one pass",
    reference="Achtibat et al., AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for "
    "Transformers, ICML 2024",
)
def attn_lrp(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    at: At = "tokens",
    gamma: Annotated[float, {"min": 0, "max": 100, "step": 0.05}] = 0.0,
) -> TokenMaps:
    """Give each token its share of the logit, by relevance that also runs through the attention.

    At the tokens z entering the first block, token n gets r_n = Σ_d z_nd · ∇z_nd. On the way back
    both factors of every product of two activations get half of their gradient, so that values get
    1/2 and queries and keys 1/4 of it; the softmax keeps its own gradient; the standard deviation
    of every layer norm and the gate Φ(x) of GELU = x·Φ(x) are held constant. The rule of the
    softmax contains a bias, so that the shares of tokens and biases do not add up to the logit;
    `completeness_error` says by how much. The sign has a meaning: negative tokens speak against the
    class.

    The authors of one implementation of layer-wise relevance propagation (LRP), those of this
    method, state that LRP is patented and free for personal and scientific use only; this code is
    written from the formulas of the paper named above, which is no legal advice: ask before
    commercial use.

    Parameters
    ----------
    at
        Whether the tokens get shares or the voxels x, r_n = Σ_c x_nc · ∇x_nc over input channels c.
        A network without tokens has voxels only.
    gamma
        How much linear layers and convolutions favour what agrees with their output in sign: such
        parts count 1 + γ times. 0: the ordinary gradient; above, every such layer costs about five
        times as much.
    """
    split = Split("gamma", gamma) if gamma else None
    rules = Rules(attention="shared", linear=split, convolution=split)
    return run.shares(targets, rules, at).maps()
