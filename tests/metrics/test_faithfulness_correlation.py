"""Faithfulness correlation: closed forms of a linear network, and by hand of one that is not."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
import pytest
from known_answers import SIZE, Known, judged, linear, picture, scene_of
from scipy.stats import pearsonr

from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS

RANDOM = np.random.default_rng(3)
WEIGHTS = RANDOM.normal(size=SIZE)
GRID = (3, 4, 5)


def correlation(evaluation: Evaluation, **settings: Any) -> Score:
    return scored("faithfulness_correlation", evaluation, {"answer": "logit", **settings})


def patch_sums(values: Any) -> Any:
    return values.reshape(3, 2, 4, 2, 5, 2).sum((1, 3, 5))


def curved(x: Any) -> Any:
    return np.array([np.tanh((WEIGHTS * x).sum() / 20) * 3, 0.1 * (x**2).sum() ** 0.5])


@pytest.mark.parametrize("share", [1.0, 10.0, 50.0])
def test_of_a_linear_network_weight_times_input_is_perfect(share: float) -> None:
    scene, truth = scene_of(function=linear(WEIGHTS)), WEIGHTS * picture()
    for tokens in (truth, patch_sums(truth), 7 * patch_sums(truth)):
        assert correlation(judged(scene, tokens), share=share).value == pytest.approx(1)
    assert correlation(judged(scene, -truth), share=share).value == pytest.approx(-1)


@pytest.mark.parametrize("answer", ["logit", "probability"])
def test_by_hand(answer: str) -> None:
    scene, tokens = scene_of(function=curved), RANDOM.normal(size=GRID)
    score = correlation(judged(scene, tokens), answer=answer, draws=30, share=20)
    network = scene.network
    assert isinstance(network, Known)
    assert len(network.asked) == 31
    relevance, costs = [], []
    for image in network.asked[1:]:  # what was removed is where the image is now zero
        gone = patch_sums(image[0] == 0) == 8
        assert gone.sum() == 12
        relevance.append(sum(tokens[place] for place in zip(*np.nonzero(gone), strict=True)))
        found = []
        for one in (network.asked[0], image):
            logits = curved(one.astype(np.float64))
            shares = np.exp(logits) / np.exp(logits).sum()
            found.append((logits if answer == "logit" else shares)[0])
        costs.append(found[0] - found[1])
    assert score.value == pytest.approx(pearsonr(relevance, costs)[0])
    assert score.chance == 0


def test_scale_and_offset_of_a_map_do_not_matter() -> None:
    scene, tokens = scene_of(function=curved), RANDOM.normal(size=GRID)
    one = correlation(judged(scene, tokens)).value
    assert correlation(judged(scene, 5 * tokens + 3)).value == pytest.approx(one)
    assert correlation(judged(scene, -tokens)).value == pytest.approx(-one)


def test_all_maps_share_the_answers_and_another_seed_draws_others() -> None:
    scene = scene_of(function=curved)
    for _ in range(3):
        correlation(judged(scene, RANDOM.normal(size=GRID)))
    assert isinstance(scene.network, Known)
    assert len(scene.network.asked) == 201
    again = scene_of(function=curved)
    correlation(judged(again, RANDOM.normal(size=GRID)))
    assert isinstance(again.network, Known)
    np.testing.assert_array_equal(again.network.asked, scene.network.asked)


def test_random_maps_get_chance_on_average() -> None:
    scene = scene_of(function=curved)
    found = [correlation(judged(scene, RANDOM.normal(size=GRID))).value for _ in range(200)]
    assert np.std(found) > 0.05
    assert abs(np.mean(found)) < 4 * np.std(found) / 200**0.5


def test_only_patches_that_count_are_removed() -> None:
    valid = np.zeros(SIZE, dtype=bool)
    valid[:2] = True
    scene = scene_of(function=curved)
    object.__setattr__(scene, "valid", valid)
    correlation(judged(scene, RANDOM.normal(size=GRID)))
    assert isinstance(scene.network, Known)
    removed = np.stack(scene.network.asked)[:, 0] == 0
    assert removed[:, :2].any()
    assert not removed[:, 2:].any()


def test_what_cannot_be_said() -> None:
    still = scene_of(function=lambda _: np.array([2.0, 0.0]))
    score = correlation(judged(still, RANDOM.normal(size=GRID)))
    assert isnan(score.value)
    assert "no set of patches changes" in score.reason
    constant = judged(scene_of(function=curved), np.ones(GRID))
    assert "equally relevant" in METRICS["faithfulness_correlation"].function(constant).reason
    value = scene_of(function=lambda x: np.array([x.sum(), np.nan]))  # a regression
    score = correlation(judged(value, RANDOM.normal(size=GRID)), answer="probability")
    assert isnan(score.value)
    assert "probability is not a finite number" in score.reason
    score = correlation(judged(scene_of(), RANDOM.normal(size=GRID)))
    assert score.reason == "the network is not at hand"
