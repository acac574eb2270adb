"""Class sensitivity: 1 for a method that does not ask the class; which others are drawn."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
import pytest
from known_answers import judged, scene_of
from scipy.stats import spearmanr

from g3dvit_napari import api
from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.types import Volume
from g3dvit_napari.models.handle import ModelHandle

GRID = (3, 4, 5)
MAPS = np.random.default_rng(4).normal(size=(6, *GRID))


class ByClass:
    """A method with one map per class."""

    stages = ()

    def __init__(self) -> None:
        self.asked: list[int] = []

    def of_class(self, target: int) -> Any:
        self.asked.append(target)
        return MAPS[target]


def test_by_hand_over_all_other_classes() -> None:
    explainer = ByClass()
    evaluation = judged(scene_of(classes=6), MAPS[0], explainer=explainer)
    score = scored("class_sensitivity", evaluation, {"others": 100})
    assert sorted(explainer.asked) == [1, 2, 3, 4, 5]
    expected = [spearmanr(MAPS[0].ravel(), MAPS[n].ravel()).statistic for n in range(1, 6)]
    assert score.value == pytest.approx(np.mean(expected))
    assert score.chance == 1
    assert score.better_than_chance


def test_one_class_is_drawn_by_the_seed() -> None:
    drawn = []
    for seed in range(20):
        explainer, scene = ByClass(), scene_of(classes=6)
        object.__setattr__(scene, "seed", seed)
        scored("class_sensitivity", judged(scene, MAPS[0], explainer=explainer))
        drawn += explainer.asked
    assert len(drawn) == 20
    assert 0 not in drawn
    assert len(set(drawn)) > 3


def test_a_single_logit_is_two_classes_or_a_value() -> None:
    explainer = ByClass()
    scored("class_sensitivity", judged(scene_of(classes=1), MAPS[0], explainer=explainer))
    assert explainer.asked == [1]
    value = judged(scene_of(classes=1, output="regression"), MAPS[0], explainer=ByClass())
    score = scored("class_sensitivity", value)
    assert isnan(score.value)
    assert "no other class" in score.reason


def test_methods(tiny_volume: Volume, tiny_model: ModelHandle) -> None:
    names = ["attention_rollout", "raw_attention", "libra_grad", "saliency"]
    found = api.evaluate(tiny_volume, tiny_model, names, 1, metrics=["class_sensitivity"])
    rollout, raw, libra, saliency = (judgement.scores[0].value for judgement in found)
    assert rollout == raw == pytest.approx(1)
    assert libra < 0.99
    assert saliency < 0.99
