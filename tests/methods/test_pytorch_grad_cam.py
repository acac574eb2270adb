"""The CAM family against pytorch-grad-cam: raw maps, before it scales and zooms them.

That library asks for torchvision, which is no dependency of ours; it is imported without.
Score-CAM and Ablation-CAM are left out: it cannot upsample in 3D, and it does not set a feature to
zero but far below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from plain_features import KINDS, network_of
from torch import Tensor, nn
from without_pictures import pytorch_grad_cam

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle

theirs = pytorch_grad_cam()
NAMES = {
    "grad_cam": "GradCAM",
    "layer_cam": "LayerCAM",
    "grad_cam_element_wise": "GradCAMElementWise",
    "hires_cam": "HiResCAM",
    "eigen_cam": "EigenCAM",
    "eigen_grad_cam": "EigenGradCAM",
    "grad_cam_plus_plus": "GradCAMPlusPlus",
    "x_grad_cam": "XGradCAM",
}
# It projects in float32, adds 1e-6 below the fraction of Grad-CAM++ and 1e-7 below XGrad-CAM's.
ROUGHLY = {
    "eigen_cam": 1e-6,
    "eigen_grad_cam": 1e-6,
    "grad_cam_plus_plus": 1e-5,
    "x_grad_cam": 1e-4,
}


def channels_first(model: ModelHandle) -> Callable[[Tensor], Tensor]:
    """Their `reshape_transform`: tokens (b n d) to a grid (b d f h w), the class token dropped."""
    site = model.site()
    return lambda x: (
        x if x.ndim == 5 else x[:, site.prefix :].mT.reshape(len(x), -1, *site.cells.shape)
    )


def raw_map(name: str, model: ModelHandle, image: Tensor, target: int) -> np.ndarray:
    layer = model.network.get_submodule(model.site().name)
    method = getattr(theirs, name)(model.network, [layer], channels_first(model))
    model.network.zero_grad()
    method.activations_and_grads(image)[0, target].backward()
    kept = method.activations_and_grads
    activations, gradients = kept.activations[0].numpy(), kept.gradients[0].numpy()
    found = method.get_cam_image(image, layer, [target], activations, gradients, False)
    kept.release()
    return found[0]


# Under class-token pooling gradients are of all sizes, so what it adds always matters somewhere.
PAIRS = [(m, k) for m in NAMES for k in KINDS if (m, k) != ("grad_cam_plus_plus", "class token")]


@pytest.mark.parametrize(("method", "kind"), PAIRS)
def test_raw_maps_are_the_same(build: Any, image: Tensor, method: str, kind: str) -> None:
    model = network_of(kind, build)
    if method == "grad_cam_plus_plus" and kind != "convolutional":
        # Where features are negative its denominator meets zero, and then what it adds matters.
        model.network.blocks[-1].attention.norm.bias.data.fill_(5.0)
    head = [m for m in model.network.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        head.weight.mul_(1e6)  # large gradients, beside which what it adds is nothing
    maps = METHODS[method].function(model.forward(image), (2,))
    ours, wanted = maps.values[0], raw_map(NAMES[method], model, image, 2)
    if method.startswith("eigen"):
        wanted = wanted * np.sign((wanted * ours).sum())  # its sign is arbitrary
    scale = np.abs(wanted).max()
    assert scale > 0
    atol = ROUGHLY.get(method, 1e-12) * scale
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=atol)
