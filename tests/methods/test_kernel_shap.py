"""KernelSHAP against Shapley's definition, captum, the regression in so many words, and luck."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest
import torch
from known_functions import entangled, handle, patches_of, picture
from plain_shapley import box_game, shapley_values
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.sampling.baselines import derived_baseline
from g3dvit_napari.models.sampling.kernel_regression import drawn, every, solved

kernel_shap = METHODS["kernel_shap"].function
WIDE = (10, 8, 2)  # twenty patches


def test_all_coalitions_give_shapley_values(build: Any, image: Tensor) -> None:
    run = build("mean").forward(image)
    maps = kernel_shap(run, (3, 0), group=2, baseline="zero")  # eight blocks
    worth, count, _ = box_game(run, 2, "zero")
    wanted = shapley_values(count, worth)[[3, 0]]
    assert wanted.min() < -1e-3 < 1e-3 < wanted.max()
    np.testing.assert_allclose(maps.values.reshape(2, -1), wanted, rtol=0, atol=1e-10)
    ends = {"score": worth(frozenset(range(count)))[3], "score_baseline": worth(frozenset())[3]}
    errors = {"standard_error_mean": 0.0, "standard_error_max": 0.0}
    assert maps.figures[0] == pytest.approx({**ends, **errors})


def test_captum_agrees() -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the reference")
    model, x = handle(entangled), picture()
    found = captum.ShapleyValues(model.network).attribute(
        x,
        baselines=derived_baseline(x, "mean"),
        target=0,
        feature_mask=torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]])[
            None, None, :, :, None
        ],
    )
    maps = kernel_shap(model.forward(x), (0,), baseline="mean")
    assert maps.values.shape == (1, 2, 2, 1)
    np.testing.assert_allclose(
        maps.values[0], found[0, 0, ::2, ::2, :1].detach().numpy(), rtol=0, atol=1e-6
    )


def test_the_weights_of_all_coalitions_are_shapleys_kernel() -> None:
    design = every(5)
    assert len(design.coalitions) == 30
    for coalition, weight in zip(design.coalitions, design.weights, strict=True):
        k = int(coalition.sum())
        assert float(weight) == pytest.approx(4 / (comb(5, k) * k * (5 - k)))


def test_sizes_are_drawn_by_that_kernel_and_in_pairs() -> None:
    coalitions = drawn(6, 40000, seed=1).coalitions
    assert torch.equal(coalitions[1::2], ~coalitions[::2])
    counts = torch.bincount(coalitions.sum(1), minlength=7).double() / 40000
    shares = torch.tensor([5 / (k * (6 - k)) for k in range(1, 6)])
    torch.testing.assert_close(counts[1:6], (shares / shares.sum()).double(), rtol=0, atol=0.01)
    assert counts[0] == counts[6] == 0
    each = coalitions.double().mean(0)
    torch.testing.assert_close(each, torch.full_like(each, 0.5), rtol=0, atol=1e-12)


def test_the_conditions_are_the_limit_of_the_published_weight_of_a_million() -> None:
    """All coalitions in one weighted least squares; the empty and the full one weigh 1e6."""
    run = handle(entangled, WIDE).forward(picture(WIDE))
    maps = kernel_shap(run, (0,), samples=64, baseline="zero", seed=3)
    design = drawn(20, 64, seed=3)
    some = torch.cat([torch.zeros(1, 20), torch.ones(1, 20), design.coalitions]).double()
    worth, *_ = box_game(run, 1, "zero")
    scores = np.array([worth(frozenset(np.flatnonzero(row)))[0] for row in some.numpy()])
    weights = np.array([1e6, 1e6] + [1.0] * 64)
    features = np.column_stack([np.ones(66), some.numpy()])  # the intercept is s(nothing)
    root = np.sqrt(weights)
    found, *_ = np.linalg.lstsq(features * root[:, None], scores * root, rcond=None)
    np.testing.assert_allclose(maps.values[0].ravel(), found[1:], rtol=0, atol=1e-3)
    assert np.abs(found[1:]).max() > 0.3


def test_shares_add_up_and_what_is_background_gets_nothing() -> None:
    x = picture(WIDE)
    x[0, 0, 2:6] = 0
    model = handle(entangled, WIDE)
    maps = kernel_shap(model.forward(x), (0, 1), samples=64, baseline="zero")
    gain = (model.logits(x) - model.logits(torch.zeros_like(x)))[0]
    np.testing.assert_allclose(maps.values.reshape(2, -1).sum(1), gain, rtol=0, atol=1e-10)
    assert not maps.values[:, 1:3].any()
    assert maps.values[:, [0, 3, 4]].all()


def test_a_sum_is_shared_exactly_whatever_is_drawn() -> None:
    x = picture(WIDE)
    maps = kernel_shap(handle(entangled, WIDE).forward(x), (1,), samples=42, baseline="zero")
    np.testing.assert_allclose(maps.values[0].ravel(), patches_of(x)[0], rtol=0, atol=1e-10)
    assert maps.figures[0]["standard_error_max"] < 1e-10


def test_standard_errors_are_those_of_other_seeds() -> None:
    run = handle(entangled, WIDE).forward(picture(WIDE))
    options: dict[str, Any] = {"samples": 120, "baseline": "zero"}
    many = [kernel_shap(run, (0,), seed=seed, **options) for seed in range(40)]
    spread = np.std([maps.values[0] for maps in many], axis=0, ddof=1).mean()
    said = np.mean([maps.figures[0]["standard_error_mean"] for maps in many])
    assert spread > 0.01
    assert said == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("players", [1, 2, 3])
def test_small_games_are_solved_too(players: int) -> None:
    size = (2 * players, 2, 2)
    run = handle(lambda image: patches_of(image).cumprod(1)[:, [-1, 0]], size).forward(
        picture(size)
    )
    maps = kernel_shap(run, (0,), baseline="zero")
    worth, count, _ = box_game(run, 1, "zero")
    wanted = shapley_values(count, worth)[0]
    np.testing.assert_allclose(maps.values.ravel(), wanted, rtol=0, atol=1e-12)


def test_too_few_samples_are_refused() -> None:
    run = handle(entangled, WIDE).forward(picture(WIDE))
    with pytest.raises(MethodError, match="draw at least 40"):
        kernel_shap(run, (0,), samples=39)


def test_coalitions_that_cannot_tell_blocks_apart_are_refused() -> None:
    design = drawn(6, 12, seed=0)._replace(coalitions=torch.eye(6).bool()[[0, 1] * 6])
    with pytest.raises(MethodError, match="cannot tell all blocks apart"):
        solved(design, torch.zeros(2, 1).double(), torch.zeros(12, 1).double())


def test_magnitudes_bound_values() -> None:
    run = handle(entangled, WIDE).forward(picture(WIDE))
    for samples in (64, 100):
        maps = kernel_shap(run, (0, 1), samples=samples)
        assert (np.abs(maps.values) <= maps.magnitude).all()
