"""SmoothGrad against plain means over the same noise, and against captum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from known_functions import curved, handle, picture
from torch import Tensor

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.sampling.noise import noisy_copies

smooth_grad = METHODS["smooth_grad"].function
CAPTUM = {
    "saliency": ("Saliency", {}),
    "input_x_gradient": ("InputXGradient", {}),
    "integrated_gradients": ("IntegratedGradients", {"n_steps": 4, "method": "gausslegendre"}),
}


def copies(image: Tensor, samples: int, seed: int = 0, noise: float = 0.15) -> list[Tensor]:
    return list(noisy_copies(image, noise, samples, torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("of", CAPTUM)
@pytest.mark.parametrize("squares", [False, True])
def test_values_are_means_of_maps(build: Any, image: Tensor, of: str, squares: bool) -> None:
    model = build("mean")
    options: dict[str, Any] = {"steps": 4, "baseline": "zero"}
    maps = smooth_grad(model.forward(image), (2, 0), of=of, samples=3, squares=squares, **options)
    options = options if of == "integrated_gradients" else {}
    each = [
        METHODS[of].function(model.forward(copy), (2, 0), **options).values
        for copy in copies(image, 3)
    ]
    each = [one**2 for one in each] if squares else each
    np.testing.assert_allclose(maps.values, sum(each) / 3, rtol=0, atol=1e-12)
    errors = np.std(each, axis=0, ddof=1) / np.sqrt(3)
    for row in range(2):
        figures = maps.figures[row]
        assert figures["standard_error_mean"] == pytest.approx(errors[row].mean(), rel=1e-9)
        assert figures["standard_error_max"] == pytest.approx(errors[row].max(), rel=1e-9)


@pytest.mark.parametrize("of", CAPTUM)
@pytest.mark.parametrize("kind", ["smoothgrad", "smoothgrad_sq"])
def test_captum_with_the_same_noise_agrees(of: str, kind: str, monkeypatch: Any) -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the reference")
    model, x = handle(curved), picture()
    options: dict[str, Any] = {"samples": 5, "steps": 4, "baseline": "zero"}
    squares = kind == "smoothgrad_sq"
    maps = smooth_grad(model.forward(x), (1,), of=of, squares=squares, **options)
    drawn = torch.cat(copies(x, 5)) - x
    monkeypatch.setattr(torch, "normal", lambda *_: drawn)
    name, extra = CAPTUM[of]
    tunnel = captum.NoiseTunnel(getattr(captum, name)(model.network))
    leaf = x.clone().requires_grad_()
    found = tunnel.attribute(leaf, nt_type=kind, nt_samples=5, target=1, **extra).detach()
    assert found.abs().max() > 1e-3
    # Its weights of the integral have single precision.
    np.testing.assert_allclose(maps.values[0], found[0, 0], rtol=1e-6, atol=1e-12)


def test_noise_is_a_share_of_the_range_and_its_seed_is_the_users(image: Tensor) -> None:
    drawn = torch.cat(copies(image, 20, noise=0.15)) - image
    wanted = 0.15 * float(image.max() - image.min())
    assert float(drawn.std()) == pytest.approx(wanted, rel=0.02)
    assert torch.equal(copies(image, 2)[1], copies(image, 2)[1])
    assert not torch.equal(copies(image, 1)[0], copies(image, 1, seed=1)[0])
    run = handle(curved).forward(picture())
    first, same, other = (smooth_grad(run, (0,), samples=2, seed=s).values for s in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.allclose(first, other)


def test_without_noise_it_is_the_map_itself(build: Any, image: Tensor) -> None:
    run = build().forward(image)
    maps = smooth_grad(run, (1,), noise=0.0, samples=2)
    wanted = METHODS["saliency"].function(run, (1,)).values
    np.testing.assert_allclose(maps.values, wanted, rtol=0, atol=1e-15)
    assert maps.figures[0]["standard_error_max"] < 1e-15
