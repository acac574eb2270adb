"""GradientSHAP sample by sample, against captum with the same draws, and its errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from known_functions import curved, handle, picture
from torch import Tensor

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.sampling.baselines import DERIVED, derived_baseline

gradient_shap = METHODS["gradient_shap"].function


def draws(samples: int, baselines: int, image: Tensor, seed: int = 0) -> Any:
    """The random numbers, in the order in which they are drawn."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(samples, generator=generator, dtype=torch.float64)
    chosen = torch.randint(baselines, (samples,), generator=generator)
    noise = [
        torch.randn(image.shape, generator=generator, dtype=torch.float64) for _ in range(samples)
    ]
    return places, chosen, noise


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
def test_values_follow_the_formula_sample_by_sample(build: Any, image: Tensor, kind: str) -> None:
    model, targets = build(kind), (3, 0)
    maps = gradient_shap(model.forward(image), targets, samples=6, noise=0.1, baseline="any")
    places, chosen, noise = draws(6, 4, image)
    assert len(set(chosen.tolist())) > 1
    deviation = 0.1 * (image.max() - image.min())
    for row, target in enumerate(targets):
        each, compared = [], 0.0
        for u, number, eps in zip(places, chosen, noise, strict=True):
            start, end = derived_baseline(image, DERIVED[number]), image + deviation * eps
            point = (start + u * (end - start)).requires_grad_()
            (g,) = torch.autograd.grad(model.network(point)[0, target], point)
            each.append(((end - start) * g)[0].sum(0).detach().numpy())
            compared += float(model.logits(start)[0, target]) / 6
        wanted = sum(each) / 6
        assert np.abs(wanted).max() > 1e-4
        np.testing.assert_allclose(maps.values[row], wanted, rtol=0, atol=1e-12)
        figures, score = maps.figures[row], float(model.logits(image)[0, target])
        assert figures["score_baseline"] == pytest.approx(compared, abs=1e-10)
        error = wanted.sum() - (score - compared)
        assert figures["completeness_error"] == pytest.approx(error, abs=1e-10)
        errors = np.std(each, axis=0, ddof=1) / np.sqrt(6)
        assert figures["standard_error_mean"] == pytest.approx(errors.mean(), rel=1e-9)


def test_captum_with_the_same_draws_agrees(monkeypatch: Any) -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the reference")
    model, x = handle(curved), picture()
    maps = gradient_shap(model.forward(x), (1,), samples=6, noise=0.1, baseline="mean")
    places, _, noise = draws(6, 1, x)
    drawn = 0.1 * (x.max() - x.min()) * torch.cat(noise)
    monkeypatch.setattr(torch, "normal", lambda *_: drawn)
    monkeypatch.setattr(np.random, "uniform", lambda *_: places.numpy())
    found = captum.GradientShap(model.network).attribute(
        x, baselines=derived_baseline(x, "mean"), n_samples=6, stdevs=1.0, target=1
    )
    assert found.abs().max() > 1e-3
    np.testing.assert_allclose(maps.values[0], found[0, 0].detach(), rtol=0, atol=1e-12)


def test_with_many_samples_it_is_integrated_gradients() -> None:
    run = handle(curved).forward(picture())
    exact = METHODS["integrated_gradients"].function(run, (0,), baseline="zero").values
    maps = gradient_shap(run, (0,), samples=600, noise=0.0, baseline="zero")
    error = maps.figures[0]["standard_error_max"]
    assert error < 0.1 * np.abs(exact).max()
    assert np.abs(maps.values - exact).max() < 4 * error
    assert maps.figures[0]["completeness_error_relative"] < 0.1


def test_standard_errors_are_those_of_other_seeds() -> None:
    run = handle(curved).forward(picture())
    options: dict[str, Any] = {"samples": 20, "baseline": "zero"}
    many = [gradient_shap(run, (0,), seed=seed, **options) for seed in range(25)]
    spread = np.std([maps.values[0] for maps in many], axis=0, ddof=1).mean()
    said = np.mean([maps.figures[0]["standard_error_mean"] for maps in many])
    assert said == pytest.approx(spread, rel=0.15)
