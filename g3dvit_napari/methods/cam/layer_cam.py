"""LayerCAM (Jiang et al., TIP 2021), on tokens and feature maps."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.features import summed
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "LayerCAM",
    needs={"features"},
    reference="Jiang et al., LayerCAM, IEEE TIP 2021, doi:10.1109/TIP.2021.3089943",
)
def layer_cam(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Weigh each feature of each patch by its own gradient where that is positive.

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution), patch n gets r_n = Σ_d max(g_nd, 0) · a_nd, with g the
    gradient of the class's logit.

    Parameters
    ----------
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    return summed(run, targets, block, lambda gradients, features: gradients.relu() * features)
