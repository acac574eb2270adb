"""XGrad-CAM, feature by feature; and sums of features that come to nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_features import PLACES, convolutional, network_of, plain_features
from torch import Tensor

from g3dvit_napari.methods import METHODS


@pytest.mark.parametrize(("kind", "block"), PLACES)
@pytest.mark.parametrize("absolute", [False, True])
def test_values_follow_the_formula(
    build: Any, image: Tensor, kind: str, block: int, absolute: bool
) -> None:
    model = network_of(kind, build)
    a, gradients = plain_features(model, image, block)
    run = model.forward(image)
    maps = METHODS["x_grad_cam"].function(run, (3, 0), absolute=absolute, block=block)
    for row, target in enumerate((3, 0)):
        wanted = np.zeros(len(a))
        for d in range(a.shape[1]):
            below = sum(abs(x) if absolute else x for x in a[:, d])
            weight = sum(gradients[target][n, d] * a[n, d] / below for n in range(len(a)))
            wanted += weight * a[:, d]
        assert np.abs(wanted).max() > 1e-4
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-11 * scale)
        assert (maps.magnitude[row] >= np.abs(maps.values[row]) * (1 - 1e-12)).all()


def test_features_that_are_never_negative_need_no_other_denominator(image: Tensor) -> None:
    run = convolutional().forward(image)
    assert (run.activations() >= 0).all()
    both = [METHODS["x_grad_cam"].function(run, (1,), absolute=x).values for x in (False, True)]
    np.testing.assert_allclose(*both, rtol=1e-12)


def test_a_feature_that_is_zero_everywhere_counts_for_nothing(image: Tensor) -> None:
    model = convolutional()
    with torch.no_grad():
        model.network.features[0].weight[2] = 0
        model.network.features[0].bias[2] = -1.0
    maps = METHODS["x_grad_cam"].function(model.forward(image), (1,))
    assert not model.forward(image).activations()[:, 2].any()
    assert np.isfinite(maps.values).all()
    assert maps.values.any()
