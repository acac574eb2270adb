"""A constant added to the input: by hand, and on a network that cannot see it."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
import pytest
from known_answers import SIZE, judged, picture, scene_of

from g3dvit_napari import api
from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.types import Volume
from g3dvit_napari.models.handle import ModelHandle


class Explains:
    """A method that is a function of the input."""

    stages = ()

    def __init__(self, function: Any) -> None:
        self.again = lambda image: function(image[0].astype(np.float64))


def contrast(x: Any) -> Any:
    """A network that does not see a constant."""
    return np.array([x[:, 0].mean() - x[:, 1].mean(), 3.0])


def test_by_hand() -> None:
    image = picture()
    evaluation = judged(scene_of(image, contrast), image, explainer=Explains(lambda x: x))
    score = scored("input_shift", evaluation, {"shift": 50.0})
    constant = 0.5 * image.std()
    expected = constant * 480**0.5 / np.linalg.norm(image)
    assert score.value == pytest.approx(expected, rel=1e-5)
    assert score.flags == ()
    assert score.chance == pytest.approx(2**0.5)


def test_a_network_that_sees_the_constant_is_said() -> None:
    for function, flags in ((contrast, ()), (lambda x: np.array([x.sum(), 0]), ("uninformative",))):
        evaluation = judged(scene_of(None, function), picture(), explainer=Explains(abs))
        assert scored("input_shift", evaluation).flags == flags


def test_a_map_that_is_not_finite_is_said() -> None:
    broken = judged(scene_of(None, contrast), picture(), explainer=Explains(lambda x: x * np.nan))
    score = scored("input_shift", broken)
    assert isnan(score.value)
    assert "not finite" in score.reason
    needed = scored("input_shift", judged(scene_of(), np.ones(SIZE)))
    assert needed.reason == "no method made this map; the network is not at hand"


def test_methods_on_a_network_that_normalises_every_patch(
    tiny_volume: Volume, tiny_model: ModelHandle
) -> None:
    names = ["g3dvit", "attention_rollout", "libra_grad", "saliency", "input_x_gradient"]
    found = api.evaluate(tiny_volume, tiny_model, names, 1, metrics=["input_shift"])
    scores = [judgement.scores[0] for judgement in found]
    assert [score.flags for score in scores] == [()] * 5
    assert max(score.value for score in scores[:4]) < 1e-3
    assert scores[4].value > 0.1
