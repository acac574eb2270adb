"""Element-wise Grad-CAM, element by element."""

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
    maps = METHODS["grad_cam_element_wise"].function(model.forward(image), (3, 0), block=block)
    for row, target in enumerate((3, 0)):
        g = gradients[target]
        wanted = np.array([sum(max(product, 0.0) for product in token) for token in g * a])
        assert wanted.max() > 1e-4
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-12)
        assert np.array_equal(maps.magnitude[row], maps.values[row])


def test_features_that_speak_against_the_class_cancel_nothing(build: Any, image: Tensor) -> None:
    run = build().forward(image)
    kept, all_in_all = (METHODS[m].function(run, (1,)).values
                        for m in ("grad_cam_element_wise", "hires_cam"))  # fmt: skip
    assert (kept >= 0).all()
    assert (kept > all_in_all + 1e-6).all()
