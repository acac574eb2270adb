"""HiResCAM, element by element."""

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
    maps = METHODS["hires_cam"].function(model.forward(image), (2, 1), block=block)
    for row, target in enumerate((2, 1)):
        terms = a * gradients[target]
        wanted = terms.sum(-1)
        assert wanted.min() < -1e-4 < 1e-4 < wanted.max()
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(maps.magnitude[row].ravel(), np.abs(terms).sum(-1), atol=1e-12)
