"""FullGrad (Srinivas and Fleuret, NeurIPS 2019) under LibraGrad's rules (Mehri et al., 2025)."""

from __future__ import annotations

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.rules.rules import LIBRA


@METHODS.register(
    "Libra FullGrad",
    signed=True,
    cost="one pass",
    reference="Mehri et al., LibraGrad, CVPR 2025; Srinivas and Fleuret, Full-Gradient "
    "Representation, NeurIPS 2019",
)
def libra_full_grad(run: ForwardPass, targets: tuple[int, ...]) -> TokenMaps:
    """Give each token its own share of the logit and that of the biases added at its place.

    Token n gets r_n = Σ_d z_nd · ∇z_nd + Σ_l Σ_d b_ld · ∇o_lnd, with z the tokens entering the
    first block (positions included) and b_l the bias of every linear layer and norm l behind them,
    o its output. The gradients are LibraGrad's: the standard deviation of every norm, the gate Φ(x)
    of GELU = x·Φ(x) and the attention weights are held constant. What is left of the logit are the
    tokens that are no patches, and the biases of padding and behind the pooling, which have no
    place (`biases`). The sign has a meaning: negative tokens speak against the class.

    Where windows or coarser grids follow, the share of a coarse cell is split equally among the
    finer ones inside it. Without tokens, in a convolutional network, the voxels x get
    Σ_c x_nc · ∇x_nc, and the biases of every feature map are spread over it evenly.

    These rules coincide with some of those known as layer-wise relevance propagation (LRP). The
    authors of one LRP implementation state that LRP is patented and free for personal and
    scientific use only; this code is written from the formulas of the papers named above, which is
    no legal advice: ask before commercial use.
    """
    return run.shares(targets, LIBRA).maps(biases=True)
