"""Completeness: read from the map, and only where a method claims it."""

from __future__ import annotations

from math import isnan
from typing import Any

import pytest
from known_answers import judged, picture, scene_of

from g3dvit_napari.api import METHODS
from g3dvit_napari.api.evaluating import evaluation_of
from g3dvit_napari.api.explaining import explain, why_not
from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.models.handle import ModelHandle


def made(volume: Volume, model: ModelHandle, method: str, **asked: Any) -> Evaluation:
    found = explain(volume, model, method, 1, threshold=Threshold("none"), **asked)
    return evaluation_of(found, Scene(Placement(volume, model.spec), 1))


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"score": 5.0, "score_baseline": 1.0}, 0.25),
        ({"score": 3.0}, 0.0),
        ({"score": 4.0, "prefix_tokens": 2.0, "biases": -2.0}, 0.25),
        ({"score": -3.0}, 2.0),
    ],
)
def test_closed_forms(figures: dict[str, float], expected: float) -> None:
    tokens = picture() * (3 / picture().astype(float).sum())
    score = scored("completeness", judged(scene_of(), tokens, figures=figures))
    assert score.value == pytest.approx(expected, abs=1e-12)
    assert score.chance == 1


def test_the_rest_is_said() -> None:
    for figures, words in (
        ({}, "does not claim"),
        ({"score": 1.0, "score_baseline": 1.0}, "zero, or not finite"),
        ({"score": 1.0, "completeness_error": 0.0}, "not meant to add up"),
    ):
        score = scored("completeness", judged(scene_of(), picture(), figures=figures))
        assert isnan(score.value)
        assert words in score.reason


def test_exact_methods_are_complete(tiny_volume: Volume, tiny_model: ModelHandle) -> None:
    for method, asked in (
        ("shapley_sampling", {"pairs": 2, "group": 2}),
        ("kernel_shap", {"samples": 80, "group": 2}),
        ("libra_grad", {}),
        ("libra_full_grad", {}),
    ):
        score = scored("completeness", made(tiny_volume, tiny_model, method, **asked))
        assert score.value < 1e-5, method


def test_an_integral_converges(tiny_volume: Volume, tiny_model: ModelHandle) -> None:
    found = [
        made(tiny_volume, tiny_model, "integrated_gradients", steps=steps, baseline="blur")
        for steps in (2, 200)
    ]
    errors = [scored("completeness", one).value for one in found]
    assert errors[1] < 0.01 < errors[0]
    own = [one.figures["completeness_error_relative"] for one in found]
    assert errors == pytest.approx(own)


def test_every_method_either_claims_it_or_says_that_it_does_not(
    tiny_volume: Volume, tiny_model: ModelHandle
) -> None:
    quick = {"kernel_shap": {"samples": 80, "group": 2}, "shapley_sampling": {"group": 2}}
    claiming = set()
    for method in METHODS:
        if why_not(method, tiny_model) is None:
            evaluation = made(tiny_volume, tiny_model, method, **quick.get(method, {}))
            score = scored("completeness", evaluation)
            assert not isnan(score.value) or score.reason
            if not isnan(score.value) and "degenerate" not in score.flags:
                claiming.add(method)
    assert claiming >= {"integrated_gradients", "gradient_shap", "kernel_shap", "shapley_sampling"}
    assert claiming >= {"libra_grad", "libra_full_grad", "attn_lrp", "cp_lrp"}
    assert not claiming & {"g3dvit", "saliency", "attention_rollout", "smooth_grad", "occlusion"}
