"""LibraGrad (Mehri et al., CVPR 2025): input times balanced gradient."""

from __future__ import annotations

from typing import Literal

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.rules.rules import LIBRA
from g3dvit_napari.models.rules.shares import At

Layers = Literal["first", "second half", "all"]


@METHODS.register(
    "LibraGrad",
    signed=True,
    cost="one pass",
    reference="Mehri et al., LibraGrad, CVPR 2025; attention rule of Ali et al., ICML 2022",
)
def libra_grad(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    at: At = "tokens",
    layers: Layers = "first",
) -> TokenMaps:
    """Give each token its exact share of the logit, by balanced gradients through all blocks.

    At the tokens z entering the first block, token n gets r_n = Σ_d z_nd · ∇z_nd. On the way back
    the standard deviation of every layer norm, the gate Φ(x) of GELU = x·Φ(x) and the attention
    weights are held constant, so that the shares of all tokens and of the biases add up to the
    logit exactly; `completeness_error` says how far they do. The sign has a meaning: negative
    tokens speak against the class.

    These rules coincide with some of those known as layer-wise relevance propagation (LRP). The
    authors of one LRP implementation state that LRP is patented and free for personal and
    scientific use only; this code is written from the formulas of the papers named above, which is
    no legal advice: ask before commercial use.

    Parameters
    ----------
    at
        Whether the tokens get shares or the voxels x, r_n = Σ_c x_nc · ∇x_nc over input channels c.
        A network without tokens has voxels only.
    layers
        Which blocks' entering tokens are explained: those of the "first" block, or the sum of the
        maps of "all" blocks l, or of the "second half", l ≥ L/2 of L counted from 0 ("SkipPLUS").
        Such a sum counts the logit more than once.
    """
    shares = run.shares(targets, LIBRA, at)
    count = len(shares.values)
    if layers != "first" and not shares.places.tokens:
        raise MethodError(
            f"layers={layers} sums over the tokens of blocks, but voxels are explained here; "
            "leave layers at 'first'"
        )
    begin = (count + 1) // 2 if layers == "second half" else 0
    return shares.maps(range(begin, 1 if layers == "first" else count))
