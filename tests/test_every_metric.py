"""What every metric promises: a number with its chance, whatever the order, and no bluff."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from g3dvit_napari import api
from g3dvit_napari.api.evaluating import evaluation_of, with_network
from g3dvit_napari.api.explainer import explainer_of
from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.controls import control
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.models.handle import ModelHandle

METRICS = sorted(api.METRICS)


@pytest.fixture
def judged(tiny_volume: Volume, tiny_model: ModelHandle) -> Evaluation:
    """A method's map of the tiny volume; the signal is known to be in an odd corner."""
    found = api.explain(tiny_volume, tiny_model, "libra_grad", 2, threshold=Threshold("none"))
    truth = np.zeros(tiny_volume.shape, dtype=bool)
    truth[5:9, 8:14, 3:8] = True
    placement = found.scaled.placement.with_cells(None)
    valid = np.ones(tiny_volume.shape, dtype=bool)
    valid[:, :, -3:] = False
    scene = Scene(placement, 2, truth=truth, valid=valid)
    explainer = explainer_of(found, tiny_model)
    return evaluation_of(found, with_network(scene, tiny_model), explainer)


@pytest.mark.parametrize("name", METRICS)
def test_a_score_has_a_direction_and_its_chance_or_a_reason(name: str, judged: Evaluation) -> None:
    score = scored(name, judged)
    assert score.metric == name
    assert score.direction == api.METRICS[name].direction
    if isnan(score.value):
        assert score.reason
    else:
        assert not isnan(score.chance)


@pytest.mark.parametrize("name", METRICS)
def test_a_map_that_says_nothing_gets_the_chance_value(name: str, judged: Evaluation) -> None:
    empty = replace(judged, tokens=np.zeros_like(judged.tokens), degenerate=True)
    score = scored(name, empty)
    if api.METRICS[name].direction != "none":
        assert score.value == score.chance or isnan(score.value)
        assert isnan(score.value) or "degenerate" in score.flags


@pytest.mark.parametrize("name", METRICS)
def test_values_that_are_not_finite_are_said(name: str, judged: Evaluation) -> None:
    broken = replace(judged, tokens=np.full_like(judged.tokens, np.nan))
    score = scored(name, broken)
    assert isnan(score.value)
    assert score.reason


@pytest.mark.parametrize("name", [n for n in METRICS if "truth" in api.METRICS[n].needs])
def test_the_oracle_reaches_the_ceiling_and_an_empty_mask_is_said(
    name: str, judged: Evaluation
) -> None:
    best = scored(name, control("oracle", judged.scene))
    assert best.value == pytest.approx(best.ceiling)
    nowhere = replace(judged.scene, truth=np.zeros_like(judged.scene.truth))
    score = scored(name, replace(judged, scene=nowhere))
    assert isnan(score.value)
    assert "mask is empty" in score.reason
