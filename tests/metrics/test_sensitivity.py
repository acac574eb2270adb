"""Max- and mean-sensitivity: equal to captum's on volumes; closed forms of chance."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
import pytest
import torch
from known_answers import SIZE, judged, picture, scene_of
from torch import Tensor

from g3dvit_napari.api.evaluating import evaluation_of
from g3dvit_napari.api.explainer import explainer_of
from g3dvit_napari.api.explaining import explain
from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.evaluation import Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.robustness.sensitivity import changes_of
from g3dvit_napari.models.handle import ModelHandle


class Explains:
    """A method that is a function of the input."""

    stages: Sequence[str] = ()

    def __init__(self, function: Any) -> None:
        self.again = lambda image: function(image[0].astype(np.float64))


@pytest.mark.parametrize("method", ["saliency", "libra_grad", "g3dvit"])
def test_equal_to_captum(method: str, tiny_volume: Volume, tiny_model: ModelHandle) -> None:
    captum = pytest.importorskip("captum.metrics", reason="captum is not installed")
    found = explain(tiny_volume, tiny_model, method, 2, threshold=Threshold("none"))
    scene = Scene(Placement(tiny_volume, tiny_model.spec), 2, seed=4)
    explainer = explainer_of(found, tiny_model)
    evaluation = evaluation_of(found, scene, explainer)
    image = scene.placement.to_tensor()
    changes = changes_of(image, 20.0, 6, scene.seed)

    def maps(inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        images = inputs[0] if isinstance(inputs, tuple) else inputs
        made = [explainer.again(one.numpy()) for one in images]
        if not found.signed:
            made = [np.maximum(one, 0) for one in made]
        return (torch.from_numpy(np.stack(made))[:, None],)

    def perturb(inputs: Tensor, _: float) -> Tensor:  # six copies of the image at once
        assert inputs.shape == (6, *image.shape)
        return inputs + torch.from_numpy(np.stack(list(changes)))

    expected = captum.sensitivity_max(
        maps,
        torch.from_numpy(image)[None],
        perturb,
        perturb_radius=0.2,
        n_perturb_samples=6,
        norm_ord="fro",
    )
    settings = {"radius": 20.0, "draws": 6}
    score = scored("max_sensitivity", evaluation, settings)
    assert score.value == pytest.approx(expected.item(), rel=1e-5)
    assert score.value > 1e-3


def test_by_hand() -> None:
    image = picture()
    scene, function = scene_of(image), lambda x: x**2 - 3 * x
    evaluation = judged(scene, function(image), explainer=Explains(function))
    changes = list(changes_of(image[None], 5.0, 10, 0))
    assert len(changes) == 10
    for change in changes:
        assert np.abs(change).max() <= 0.05 * image.std()
        assert np.abs(change).max() > 0.99 * 0.05 * image.std()
        assert abs(change.mean()) < 0.1 * 0.05 * image.std()
    moved = [
        np.sqrt(((function((image + d[0]).astype(np.float64)) - function(image)) ** 2).sum())
        / np.sqrt((function(image) ** 2).sum())
        for d in changes
    ]
    most, mean = (scored(f"{name}_sensitivity", evaluation) for name in ("max", "mean"))
    assert most.value == pytest.approx(max(moved), rel=1e-5)
    assert mean.value == pytest.approx(np.mean(moved), rel=1e-5)
    doubled = scored("mean_sensitivity", evaluation, {"radius": 10.0})
    assert doubled.value == pytest.approx(2 * mean.value, rel=0.15)


def test_nothing_changes_where_relevance_does_not_count() -> None:
    valid = np.zeros(SIZE, dtype=bool)
    valid[:, 2:5] = True
    scene, asked = scene_of(), []
    object.__setattr__(scene, "valid", valid)

    def note(x: Any) -> Any:
        asked.append(x)
        return x

    scored("mean_sensitivity", judged(scene, picture(), explainer=Explains(note)))
    moved = np.any(np.stack(asked) != picture(), axis=0)
    np.testing.assert_array_equal(moved, valid)


@pytest.mark.parametrize("signed", [True, False])
def test_chance_is_that_of_a_map_that_is_drawn_anew(signed: bool) -> None:
    random = np.random.default_rng(2)
    explainer = Explains(lambda _: random.normal(size=SIZE))
    evaluation = judged(scene_of(), random.normal(size=SIZE), explainer=explainer, signed=signed)
    score = scored("mean_sensitivity", evaluation, {"draws": 200})
    assert score.value == pytest.approx(score.chance, rel=0.08)


def test_a_map_that_stays_and_one_of_zeros() -> None:
    stays = judged(scene_of(), picture(), explainer=Explains(lambda _: picture()))
    for name in ("max_sensitivity", "mean_sensitivity"):
        assert scored(name, stays).value == 0
        nothing = judged(scene_of(), np.zeros(SIZE), explainer=Explains(lambda x: x))
        found = METRICS[name].function(nothing)
        assert isnan(found.value)
        assert "map is zero" in found.reason
        assert scored(name, nothing).value == found.chance  # it can neither win nor hide
        broken = judged(scene_of(), picture(), explainer=Explains(lambda x: x * np.nan))
        assert isnan(scored(name, broken).value)
        assert scored(name, judged(scene_of(), picture())).reason == "no method made this map"
