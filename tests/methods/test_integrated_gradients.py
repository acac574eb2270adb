"""Integrated Gradients: known integrals, captum with the same nodes, and what it says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from known_functions import handle, patches_of, picture
from torch import Tensor

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.sampling.baselines import DERIVED, derived_baseline

integrated = METHODS["integrated_gradients"].function


def polynomial(image: Tensor) -> Tensor:
    """Voxel by voxel, so that every integral is known."""
    return torch.stack([(image**3).flatten(1).sum(1), (image**5 - image).flatten(1).sum(1)], 1)


@pytest.mark.parametrize(("steps", "crowding"), [(3, 1), (50, 1), (12, 4)])
def test_integrals_of_polynomials_are_exact(steps: int, crowding: int) -> None:
    model, x = handle(polynomial, channels=2), picture(channels=2)
    maps = integrated(model.forward(x), (0, 1), steps=steps, crowding=crowding, baseline="mean")
    b = x.mean((2, 3, 4), keepdim=True)
    for row, function in enumerate([lambda v: v**3, lambda v: v**5 - v]):
        wanted = (function(x) - function(b)).sum(1)[0]
        np.testing.assert_allclose(maps.values[row], wanted, rtol=0, atol=1e-10)
        assert abs(maps.figures[row]["completeness_error"]) < 1e-10


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str) -> None:
    model, targets = build(kind), (3, 0)
    maps = integrated(model.forward(image), targets, steps=3, baseline="zero")
    # Gauss and Legendre's three nodes on [-1, 1], as in any table.
    table = [(-((3 / 5) ** 0.5), 5 / 9), (0.0, 8 / 9), ((3 / 5) ** 0.5, 5 / 9)]
    for row, target in enumerate(targets):
        wanted = torch.zeros(12, 20, 9, dtype=torch.float64)
        for node, weight in table:
            point = ((node + 1) / 2 * image).requires_grad_()
            (g,) = torch.autograd.grad(model.network(point)[0, target], point)
            wanted += weight / 2 * (image * g)[0].sum(0)
        assert wanted.abs().max() > 1e-4
        np.testing.assert_allclose(maps.values[row], wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
@pytest.mark.parametrize("baseline", DERIVED)
def test_captum_with_the_same_nodes_agrees(
    build: Any, image: Tensor, kind: str, baseline: Any
) -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the reference")
    model = build(kind)
    maps = integrated(model.forward(image), (2,), steps=7, baseline=baseline)
    reference = captum.IntegratedGradients(model.network)
    found, delta = reference.attribute(
        image,
        baselines=derived_baseline(image, baseline),
        target=2,
        n_steps=7,
        method="gausslegendre",
        return_convergence_delta=True,
    )
    assert maps.values.min() < -1e-4 < 1e-4 < maps.values.max()
    # Its weights have single precision.
    np.testing.assert_allclose(maps.values[0], found[0].sum(0), rtol=1e-6, atol=1e-7)
    assert maps.figures[0]["completeness_error"] == pytest.approx(float(delta), rel=1e-5)


def test_figures_are_what_they_say(build: Any, image: Tensor) -> None:
    model = build()
    maps = integrated(model.forward(image), (1, 0), steps=5, baseline="zero")
    for row, target in enumerate((1, 0)):
        figures = maps.figures[row]
        score, nothing = (
            float(model.logits(x)[0, target]) for x in (image, torch.zeros_like(image))
        )
        error = maps.values[row].sum() - (score - nothing)
        assert figures["score"] == pytest.approx(score, abs=1e-10)
        assert figures["score_baseline"] == pytest.approx(nothing, abs=1e-10)
        assert figures["completeness_error"] == pytest.approx(error, abs=1e-10)
        relative = abs(error / (score - nothing))
        assert figures["completeness_error_relative"] == pytest.approx(relative, rel=1e-10)


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
def test_more_steps_are_more_complete(build: Any, image: Tensor, kind: str) -> None:
    run = build(kind).forward(image)
    few, many = (
        abs(integrated(run, (1,), steps=steps).figures[0]["completeness_error"])
        for steps in (4, 64)
    )
    assert many < 0.5 * few


def test_crowded_nodes_meet_the_jump_at_a_constant_baseline(build: Any, image: Tensor) -> None:
    """Each patch is normalised, so at a constant baseline the network jumps."""
    run = build().forward(image)
    even, crowded = (
        integrated(run, (1,), steps=64, baseline="zero", crowding=crowding).figures[0]
        for crowding in (1, 4)
    )
    assert even["completeness_error_relative"] > 0.1
    assert crowded["completeness_error_relative"] < 0.02


def test_places_that_equal_the_baseline_get_nothing() -> None:
    def product(image: Tensor) -> Tensor:
        sums = patches_of(image)
        return torch.stack([sums.prod(1), sums.sum(1)], 1)

    x = picture()
    x[0, 0, :2, :2] = 0
    maps = integrated(handle(product).forward(x), (0, 1), baseline="zero")
    assert not maps.values[:, :2, :2].any()
    assert maps.values[1, 2:].all()


def test_an_image_that_is_its_own_baseline_is_complete_with_nothing() -> None:
    x = torch.ones_like(picture())
    maps = integrated(handle(polynomial).forward(x), (0,))
    assert not maps.values.any()
    assert maps.figures[0]["completeness_error_relative"] == 0
