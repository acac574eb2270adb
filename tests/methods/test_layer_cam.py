"""LayerCAM, element by element."""

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
    maps = METHODS["layer_cam"].function(model.forward(image), (0, 2), block=block)
    for row, target in enumerate((0, 2)):
        g = gradients[target]
        pairs = [[(g[n, d], a[n, d]) for d in range(a.shape[1])] for n in range(len(a))]
        wanted = np.array([sum(x * y for x, y in feature if x > 0) for feature in pairs])
        size = np.array([sum(abs(x * y) for x, y in feature if x > 0) for feature in pairs])
        assert np.abs(wanted).max() > 1e-4
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(maps.magnitude[row].ravel(), size, rtol=0, atol=1e-12)
