"""Grad-CAM, patch by patch and feature by feature; and against two other programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_features import PLACES, convolutional, network_of, plain_features
from torch import Tensor

from g3dvit_napari.methods import METHODS


@pytest.mark.parametrize(("kind", "block"), PLACES)
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str, block: int) -> None:
    model = network_of(kind, build)
    a, gradients = plain_features(model, image, block)
    maps = METHODS["grad_cam"].function(model.forward(image), (3, 0), block=block)
    for row, target in enumerate((3, 0)):
        wanted = np.zeros(len(a))
        for d in range(a.shape[1]):
            alpha = sum(gradients[target][n, d] for n in range(len(a))) / len(a)
            wanted += alpha * a[:, d]
        assert np.abs(wanted).max() > 1e-4
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-12)
        assert (maps.magnitude[row] >= np.abs(maps.values[row]) - 1e-15).all()


def test_a_convolutional_network_gives_what_monai_gives(image: Tensor) -> None:
    monai = pytest.importorskip("monai.visualize", reason="MONAI's GradCAM is the reference here")
    model = convolutional()
    maps = METHODS["grad_cam"].function(model.forward(image), (0, 1, 2, 3))
    theirs = [
        monai.GradCAM(model.network, "features").compute_map(
            image.clone().requires_grad_(), class_idx=target
        )
        for target in range(4)
    ]
    found = torch.stack([one[0, 0] for one in theirs]).detach().numpy()
    assert found.max() > 1e-4
    ours = np.maximum(maps.values, 0)  # it shows positive values only
    np.testing.assert_allclose(ours, found, rtol=0, atol=1e-12)


def test_a_convolutional_network_gives_what_captum_gives(image: Tensor) -> None:
    captum = pytest.importorskip("captum.attr", reason="captum's LayerGradCam is the reference")
    model = convolutional()
    maps = METHODS["grad_cam"].function(model.forward(image), (2,))
    theirs = captum.LayerGradCam(model.network, model.network.features).attribute(image, target=2)
    found = torch.as_tensor(theirs)[0, 0].detach().numpy()
    np.testing.assert_allclose(maps.values[0], found, rtol=0, atol=1e-12)
