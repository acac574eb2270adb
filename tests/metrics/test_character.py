"""Sparseness and complexity: closed forms, and their definitions written out."""

from __future__ import annotations

from math import isnan, log

import numpy as np
import pytest
from scenes import cube_scene, odd_scene
from scipy.stats import entropy as reference

from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.controls import control, judged, random
from g3dvit_napari.core.evaluation import Evaluation

PATCHES = 216


def one_hot() -> Evaluation:
    tokens = np.zeros((6, 6, 6))
    tokens[2, 3, 1] = 4.0
    return judged(tokens, cube_scene())


@pytest.mark.parametrize("level", ["patch", "voxel"])
def test_both_are_what_their_papers_say(level: str) -> None:
    found = judged(random(odd_scene()) ** 2, odd_scene())
    values = found.values(level)
    apart = np.abs(values[:, None] - values[None]).mean()
    expected = apart / (2 * values.mean())  # half the relative mean difference
    assert scored("sparseness", found, {"level": level}).value == pytest.approx(expected)
    nats = scored("complexity", found, {"level": level, "unit": "nats"}).value
    assert nats == pytest.approx(reference(values))
    share = scored("complexity", found, {"level": level}).value
    assert share == pytest.approx(nats / log(values.size))


def test_one_place_and_all_places() -> None:
    assert scored("sparseness", one_hot()).value == pytest.approx(1 - 1 / PATCHES)
    assert scored("complexity", one_hot()).value == pytest.approx(0.0)
    even = control("constant", cube_scene())
    assert scored("sparseness", even).value == pytest.approx(0.0, abs=1e-12)
    assert scored("complexity", even).value == pytest.approx(1.0)
    assert scored("complexity", even, {"unit": "nats"}).value == pytest.approx(log(PATCHES))


def test_uniform_noise_has_the_gini_index_of_a_third() -> None:
    chance = scored("sparseness", one_hot()).chance
    assert chance == pytest.approx((PATCHES - 1) / (3 * PATCHES), abs=0.01)
    on_voxels = scored("sparseness", one_hot(), {"level": "voxel"}).chance
    assert on_voxels < chance - 0.05


def test_nothing_positive_has_no_description() -> None:
    for name in ("sparseness", "complexity"):
        score = scored(name, judged(-np.ones((6, 6, 6)), cube_scene()))
        assert isnan(score.value)
        assert "no relevance" in score.reason


def test_neither_is_better() -> None:
    for name in ("sparseness", "complexity"):
        assert scored(name, one_hot()).direction == "none"
        assert scored(name, one_hot()).better_than_chance is None
