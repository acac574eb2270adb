"""Baselines of images whose background, mean and blur are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from g3dvit_napari.models.sampling.baselines import derived_baseline


def scan(background: float = -0.7) -> torch.Tensor:
    """Two channels: a noisy ball in air of an exact value; the second channel is another one."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in (12, 14, 10)), indexing="ij")
    ball = sum(a**2 for a in axes) < 1.1  # touches the faces
    tissue = torch.randn(2, *ball.shape, generator=generator)
    air = torch.tensor([background, 3.0])[:, None, None, None]
    return torch.where(ball, tissue, air)[None]


def test_background_is_the_air_exactly_whatever_touches_the_border() -> None:
    for dtype in (torch.float32, torch.float64):
        image = scan().to(dtype)
        found = derived_baseline(image, "background")
        assert found.shape == image.shape
        assert found.dtype is dtype
        assert (found[0, 0] == image[0, 0, 0, 0, 0]).all()
        assert (found[0, 1] == 3).all()
        assert 0.1 < float((found == image).float().mean()) < 0.9


def test_where_all_values_differ_it_is_the_commonest_range() -> None:
    image = scan()
    noise = 0.01 * torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    found = derived_baseline(image + noise, "background")
    assert float(found[0, 0, 0, 0, 0]) == pytest.approx(-0.7, abs=0.03)
    assert float(found[0, 1, 0, 0, 0]) == pytest.approx(3, abs=0.03)


def test_what_is_not_finite_is_no_background() -> None:
    image = scan()
    image[0, 0, 0] = float("nan")
    assert (derived_baseline(image, "background")[0, 0] == image[0, 0, 11, 0, 0]).all()
    image[0, 0] = float("nan")
    assert derived_baseline(image, "background")[0, 0].isnan().all()


def test_zero_and_mean() -> None:
    image = scan()
    assert not derived_baseline(image, "zero").any()
    found = derived_baseline(image, "mean")
    for channel in range(2):
        assert (found[0, channel] == image[0, channel].mean()).all()


def test_blur_is_a_gaussian_of_a_tenth_of_each_side() -> None:
    image = scan().double()
    found = derived_baseline(image, "blur")
    for channel in range(2):
        wanted = image[0, channel].numpy()
        for axis, length in enumerate(wanted.shape):
            reach = int(4 * 0.1 * length + 0.5)
            at = np.arange(-reach, reach + 1)
            kernel = np.exp(-0.5 * (at / (0.1 * length)) ** 2)
            wanted = ndimage.correlate1d(wanted, kernel / kernel.sum(), axis, mode="nearest")
        np.testing.assert_allclose(found[0, channel], wanted, rtol=0, atol=1e-12)
    assert float(found.std()) < float(image.std())
