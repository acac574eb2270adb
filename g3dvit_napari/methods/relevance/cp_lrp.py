"""CP-LRP (Ali et al., ICML 2022): relevance through constant attention weights."""

from __future__ import annotations

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.rules.rules import Rules
from g3dvit_napari.models.rules.shares import At

RULES = Rules(gates=False)


@METHODS.register(
    "CP-LRP",
    signed=True,
    cost="one pass",
    reference="Ali et al., XAI for Transformers: Better Explanations through Conservative "
    "Propagation, ICML 2022",
)
def cp_lrp(run: ForwardPass, targets: tuple[int, ...], *, at: At = "tokens") -> TokenMaps:
    """Give each token its share of the logit, with attention weights and norms held constant.

    At the tokens z entering the first block, token n gets r_n = Σ_d z_nd · ∇z_nd. On the way back
    the attention weights and the standard deviation of every layer norm are held constant.
    Activations such as GELU keep their own gradient, so the shares of tokens and biases do not add
    up to the logit quite; `completeness_error` says by how much. LibraGrad holds the activations'
    gates constant as well. The sign has a meaning: negative tokens speak against the class.

    The authors of one implementation of layer-wise relevance propagation (LRP) state that LRP is
    patented and free for personal and scientific use only; this code is written from the formulas
    of the paper named above, which is no legal advice: ask before commercial use.

    Parameters
    ----------
    at
        Whether the tokens get shares or the voxels x, r_n = Σ_c x_nc · ∇x_nc over input channels c.
        A network without tokens has voxels only.
    """
    return run.shares(targets, RULES, at).maps()
