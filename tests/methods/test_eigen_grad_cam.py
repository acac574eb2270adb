"""Eigen-Grad-CAM against a full singular value decomposition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_features import PLACES, network_of, plain_features
from torch import Tensor

from g3dvit_napari.methods import METHODS


@pytest.mark.parametrize(("kind", "block"), PLACES)
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str, block: int) -> None:
    model = network_of(kind, build)
    a, gradients = plain_features(model, image, block)
    maps = METHODS["eigen_grad_cam"].function(model.forward(image), (3, 0), block=block)
    for row, target in enumerate((3, 0)):
        terms = a * gradients[target]
        centred = terms - terms.mean(0)
        wanted = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
        found = maps.values[row].ravel()
        scale = np.abs(wanted).max()
        wanted *= np.sign(found @ wanted)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9 * scale)
        assert found.max() == np.abs(found).max() > 1e-4
        assert (maps.magnitude[row].ravel() >= np.abs(found)).all()
