"""Means and their errors against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from g3dvit_napari.models.sampling.estimate import Estimate, error_figures


def test_numpy_agrees() -> None:
    draws = torch.randn(9, 2, 5, generator=torch.Generator().manual_seed(0)).double() + 100
    estimate = Estimate()
    for draw in draws:
        estimate.add(draw, 3 * draw)
    errors = draws.numpy().std(0, ddof=1) / 3
    np.testing.assert_allclose(estimate.mean, draws.mean(0), rtol=1e-14)
    np.testing.assert_allclose(estimate.size, 3 * draws.mean(0), rtol=1e-14)
    np.testing.assert_allclose(estimate.standard_error, errors, rtol=1e-12)
    for row, figures in enumerate(error_figures(estimate.standard_error)):
        assert figures["standard_error_mean"] == pytest.approx(errors[row].mean())
        assert figures["standard_error_max"] == pytest.approx(errors[row].max())


def test_without_sizes_those_of_the_draws_count() -> None:
    estimate = Estimate()
    for value in (1.0, -3.0):
        estimate.add(torch.tensor(value))
    assert (float(estimate.mean), float(estimate.size)) == (-1.0, 2.0)
