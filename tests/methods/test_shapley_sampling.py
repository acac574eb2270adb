"""Shapley sampling: all orders are Shapley's values; chance is what the errors say."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from known_functions import entangled, handle, patches_of, picture
from plain_shapley import box_game, shapley_values
from torch import Tensor

from g3dvit_napari.methods import METHODS
from g3dvit_napari.methods.perturbation.shapley_sampling import growing, sampled_shares
from g3dvit_napari.models.sampling.baselines import derived_baseline
from g3dvit_napari.models.sampling.game import Game
from g3dvit_napari.models.sampling.parts import blocks_of

shapley_sampling = METHODS["shapley_sampling"].function


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
def test_values_follow_the_formula_order_by_order(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    maps = shapley_sampling(model.forward(image), (3, 0), pairs=2, group=2, baseline="zero")
    worth, count, _ = box_game(model.forward(image), 2, "zero")
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randperm(count, generator=generator).tolist() for _ in range(2)]
    each = []
    for order in drawn:
        pair = np.zeros((2, count))
        for one in (order, order[::-1]):
            for place, player in enumerate(one):
                before = frozenset(one[:place])
                pair[:, player] += (worth(before | {player}) - worth(before))[[3, 0]] / 2
        each.append(pair)
    wanted = sum(each) / 2
    assert wanted.min() < -1e-3 < 1e-3 < wanted.max()
    np.testing.assert_allclose(maps.values.reshape(2, -1), wanted, rtol=0, atol=1e-12)
    errors = np.std(each, axis=0, ddof=1) / np.sqrt(2)
    for row in range(2):
        assert maps.figures[row]["standard_error_mean"] == pytest.approx(errors[row].mean())
        assert maps.figures[row]["standard_error_max"] == pytest.approx(errors[row].max())


def test_all_orders_are_shapleys_definition_and_captum_agrees() -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the reference")
    model, x = handle(entangled), picture()
    run, start = model.forward(x), derived_baseline(x, "mean")
    orders = [torch.tensor(order) for order in permutations(range(4)) if order[0] < order[-1]]
    found = sampled_shares(Game(run, blocks_of(run, 1), start, (0, 1)), orders)
    worth, count, numbers = box_game(run, 1, "mean")
    np.testing.assert_allclose(found.values, shapley_values(count, worth), rtol=0, atol=1e-12)
    exact = captum.ShapleyValues(model.network).attribute(
        x, baselines=start, target=0, feature_mask=numbers[None, None]
    )
    np.testing.assert_allclose(
        found.values[0], exact[0, 0, ::2, ::2, 0].flatten().detach(), rtol=0, atol=1e-6
    )


def test_shares_add_up_and_a_sum_is_shared_exactly() -> None:
    size = (6, 6, 4)
    model, x = handle(entangled, size), picture(size)
    maps = shapley_sampling(model.forward(x), (0, 1), pairs=3, baseline="zero")
    gain = (model.logits(x) - model.logits(torch.zeros_like(x)))[0]
    np.testing.assert_allclose(maps.values.reshape(2, -1).sum(1), gain, rtol=0, atol=1e-10)
    np.testing.assert_allclose(maps.values[1].ravel(), patches_of(x)[0], rtol=0, atol=1e-10)
    assert maps.figures[1]["standard_error_max"] < 1e-10
    assert maps.figures[0]["standard_error_max"] > 1e-3


def test_two_passes_a_block_and_pair() -> None:
    size = (6, 6, 4)
    model = handle(entangled, size)
    run = model.forward(picture(size))
    model.network.seen = 0
    shapley_sampling(run, (0, 1), pairs=3, baseline="zero")
    assert model.network.seen == 2 + 3 * 2 * 17


def test_standard_errors_are_those_of_other_seeds() -> None:
    size = (6, 6, 4)
    run = handle(entangled, size).forward(picture(size))
    options: dict[str, Any] = {"pairs": 6, "baseline": "zero"}
    many = [shapley_sampling(run, (0,), seed=seed, **options) for seed in range(40)]
    spread = np.std([maps.values[0] for maps in many], axis=0, ddof=1)
    said = np.mean([maps.figures[0]["standard_error_mean"] for maps in many])
    assert said == pytest.approx(spread.mean(), rel=0.2)


def test_orders_grow_one_by_one() -> None:
    grown = [row.tolist() for row in growing(torch.tensor([2, 0, 1]))]
    assert grown == [[False, False, True], [True, False, True]]


def test_a_single_block_gets_everything() -> None:
    model, x = handle(entangled), torch.zeros_like(picture())
    x[0, 0, :2, :2] = picture()[0, 0, :2, :2]
    maps = shapley_sampling(model.forward(x), (1,), baseline="zero")
    assert maps.values[0, 0, 0, 0] == pytest.approx(float(x.sum()))
    assert np.count_nonzero(maps.values) == 1
