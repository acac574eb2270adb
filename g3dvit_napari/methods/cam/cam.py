"""CAM, class activation mapping (Zhou et al., CVPR 2016), for networks with a linear head."""

from __future__ import annotations

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.features import placed
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "CAM",
    signed=True,
    needs={"linear head"},
    reference="Zhou et al., CVPR 2016, doi:10.1109/CVPR.2016.319",
)
def cam(run: ForwardPass, targets: tuple[int, ...]) -> TokenMaps:
    """Apply the classifying layer to each patch instead of the mean of all.

    Where the logit is W · (mean of the last features a over all patches) plus a bias, patch n gets
    r_n = Σ_d W_cd · a_nd: the mean of the map, and the bias, are the logit. It takes a network that
    ends in a mean and one linear layer, such as SimpleViT at its final norm, Swin Transformers and
    most convolutional networks. The sign has a meaning: negative patches speak against the class.
    """
    starts, head = run.starts(targets)[:, 0].cpu().double(), run.linear_head()
    weight, features = head.weight.cpu().double(), head.features.cpu().double()
    rows = starts @ weight
    return placed(head.cells, rows @ features.T, rows.abs() @ features.T.abs())
