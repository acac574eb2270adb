"""EigenCAM against a full singular value decomposition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_features import PLACES, network_of, plain_features
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.threshold import status_of
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.principal import projection


@pytest.mark.parametrize(("kind", "block"), PLACES)
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str, block: int) -> None:
    model = network_of(kind, build)
    a, _ = plain_features(model, image, block)
    centred = a - a.mean(0)
    wanted = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    maps = METHODS["eigen_cam"].function(model.forward(image), (3, 0, 1), block=block)
    found = maps.values[0].ravel()
    np.testing.assert_allclose(found * np.sign(found @ wanted), wanted, rtol=0, atol=1e-10)
    assert found.max() == np.abs(found).max() > 0.1
    assert (maps.magnitude[0].ravel() >= np.abs(found)).all()
    assert np.array_equal(maps.values[0], maps.values[1])
    assert np.array_equal(maps.values[0], maps.values[2])


def test_a_class_that_does_not_exist_is_refused(build: Any, image: Tensor) -> None:
    with pytest.raises(MethodError, match="class 4 asked for"):
        METHODS["eigen_cam"].function(build().forward(image), (4,))


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (9, 9)], ids=str)
def test_both_gram_matrices_give_the_first_singular_vector(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        rows = torch.randn(shape, dtype=torch.float64, generator=generator)
        values, magnitude = projection(rows)
        centred = rows - rows.mean(0)
        wanted = centred @ torch.linalg.svd(centred)[2][0]
        if -wanted.min() > wanted.max():
            wanted = -wanted
        torch.testing.assert_close(values, wanted, rtol=0, atol=1e-10)
        assert (magnitude >= values.abs()).all()
        torch.testing.assert_close(projection(-rows)[0], values, rtol=0, atol=1e-10)


def test_rows_that_differ_by_rounding_alone_are_told_as_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(1, 30, generator=generator).double()
    values, magnitude = projection(rows + 1e-8 * torch.randn(20, 30, generator=generator))
    assert status_of(values.numpy(), magnitude.numpy())[0] == "rounding noise"
    values, magnitude = projection(torch.ones(20, 30).double())
    assert not values.any()
