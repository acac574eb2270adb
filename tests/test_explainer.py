"""A method asked again: of the same map, another input, class and network, all left as found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from other_networks import OTHERS

from g3dvit_napari import api
from g3dvit_napari.api.evaluating import evaluation_of
from g3dvit_napari.api.explainer import MethodExplainer, explainer_of
from g3dvit_napari.core.evaluation import Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Explanation, Threshold, Volume
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.randomised import randomised

Floats = NDArray[np.float64]
SANE = (
    "model_randomisation",
    "efficient_randomisation",
    "class_sensitivity",
    "max_sensitivity",
    "infidelity",
    "faithfulness_correlation",
)
FEW = {"infidelity": {"draws": 8}, "faithfulness_correlation": {"draws": 8}}


def explained(volume: Volume, model: ModelHandle, method: str, **asked: Any) -> Explanation:
    return api.explain(volume, model, method, threshold=Threshold("none"), **asked)


def tokens_of(found: Explanation, volume: Volume, model: ModelHandle) -> Floats:
    return evaluation_of(found, Scene(Placement(volume, model.spec), found.target)).tokens


@pytest.mark.parametrize("method", ["g3dvit", "saliency", "attention_rollout", "smooth_grad"])
def test_the_same_input_gives_the_same_map(
    method: str, tiny_volume: Volume, tiny_model: ModelHandle
) -> None:
    found = explained(tiny_volume, tiny_model, method, target=2)
    explainer = explainer_of(found, tiny_model)
    expected = tokens_of(found, tiny_volume, tiny_model)
    again = explainer.again(Placement(tiny_volume, tiny_model.spec).to_tensor())
    np.testing.assert_array_equal(again, expected)
    np.testing.assert_array_equal(explainer.of_class(2), expected)


def test_settings_objective_and_files_are_kept(
    tiny_volume: Volume, tiny_model: ModelHandle, tmp_path: Path
) -> None:
    nib.Nifti1Image(tiny_volume.data[::-1], tiny_volume.affine).to_filename(tmp_path / "b.nii")
    asked = {
        "target": "CN", "objective": "contrast", "against": "AD", "steps": 4,
        "baseline": "file", "baseline_file": str(tmp_path / "b.nii"),
    }  # fmt: skip
    found = explained(tiny_volume, tiny_model, "integrated_gradients", **asked)
    again = explainer_of(found, tiny_model).of_class(found.target)
    np.testing.assert_array_equal(again, tokens_of(found, tiny_volume, tiny_model))
    plain = explainer_of(
        replace(found, request=replace(found.request, objective="logit")), tiny_model
    )
    assert not np.allclose(plain.of_class(found.target), again)


def test_another_input_class_and_network(tiny_volume: Volume, tiny_model: ModelHandle) -> None:
    explainer = explainer_of(explained(tiny_volume, tiny_model, "libra_grad", target=0), tiny_model)
    other = tiny_volume.like(tiny_volume.data[::-1].copy())
    image = Placement(other, tiny_model.spec).to_tensor()
    expected = explained(other, tiny_model, "libra_grad", target=0)
    np.testing.assert_allclose(explainer.again(image), tokens_of(expected, other, tiny_model))
    expected = explained(tiny_volume, tiny_model, "libra_grad", target=2)
    np.testing.assert_allclose(explainer.of_class(2), tokens_of(expected, tiny_volume, tiny_model))
    made = randomised(tiny_model, 5, stages=["head", "class token"])
    expected = explained(tiny_volume, made, "libra_grad", target=0)
    np.testing.assert_array_equal(
        explainer.randomised(["head", "class token"], 5),
        tokens_of(expected, tiny_volume, tiny_model),
    )


def test_the_stages_and_a_network_left_as_found(
    tiny_volume: Volume, tiny_model: ModelHandle
) -> None:
    before = {name: t.clone() for name, t in tiny_model.network.state_dict().items()}
    state = torch.random.get_rng_state()
    explainer = explainer_of(explained(tiny_volume, tiny_model, "saliency", target=0), tiny_model)
    assert explainer.stages == (
        "head", "block 1", "block 0", "patch embedding", "position embedding", "class token",
    )  # fmt: skip
    one = explainer.randomised(explainer.stages, 1)
    np.testing.assert_array_equal(explainer.randomised(explainer.stages, 1), one)
    assert not np.allclose(explainer.randomised(explainer.stages, 2), one)
    np.testing.assert_array_equal(
        explainer.randomised([], 1), tokens_of_first(explainer, tiny_volume, tiny_model)
    )
    assert all(torch.equal(before[n], t) for n, t in tiny_model.network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)


def tokens_of_first(explainer: MethodExplainer, volume: Volume, model: ModelHandle) -> Floats:
    found = explained(volume, model, explainer.request.method, target=explainer.request.target)
    return tokens_of(found, volume, model)


class Stopped(Exception):
    """The user has had enough."""


def test_an_evaluation_can_be_stopped_within_a_metric(
    tiny_volume: Volume, tiny_model: ModelHandle
) -> None:
    said: list[tuple[float, str]] = []

    def listener(fraction: float, word: str) -> None:
        said.append((fraction, word))
        begun = [word for _, word in said if word == "saliency: max_sensitivity"]
        if begun and word == "running the network" and fraction > 0.8:
            raise Stopped

    asked = {"methods": ["g3dvit", "saliency"], "metrics": ["max_sensitivity"], "target": 0}
    with pytest.raises(Stopped):
        api.evaluate(tiny_volume, tiny_model, progress=listener, **asked)
    fractions = [fraction for fraction, _ in said]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert 0.8 < fractions[-1] < 1
    assert "g3dvit: max_sensitivity" in {word for _, word in said}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """How often the method was asked again."""
    calls: list[str] = []
    original = MethodExplainer.again

    def again(self: MethodExplainer, image: NDArray[np.float32]) -> Floats:
        calls.append(self.request.method)
        return original(self, image)

    monkeypatch.setattr(MethodExplainer, "again", again)
    return calls


def test_two_metrics_look_at_the_same_maps(
    tiny_volume: Volume, tiny_model: ModelHandle, counted: list[str]
) -> None:
    both = ["max_sensitivity", "mean_sensitivity"]
    found = api.evaluate(tiny_volume, tiny_model, ["g3dvit", "saliency"], metrics=both)
    assert counted == ["g3dvit"] * 10 + ["saliency"] * 10
    for judgement in found:
        most, mean = judgement.scores
        assert 0 < mean.value < most.value


@pytest.mark.parametrize("family", OTHERS)
def test_networks_that_are_not_ours(family: str) -> None:
    model = OTHERS[family]()
    before = {name: t.clone() for name, t in model.network.state_dict().items()}
    data = np.random.default_rng(0).normal(size=model.image_shape[2:]).astype(np.float32)
    volume = Volume(data, np.eye(4))
    (found,) = api.evaluate(volume, model, ["saliency"], metrics=SANE, settings=FEW)
    scores = {score.metric: score for score in found.scores}
    assert [name for name, score in scores.items() if not np.isfinite(score.value)] == []
    curve = scores["model_randomisation"].curves["cascading"]
    blocks = [f"block {n}" for n in reversed(range(model.blocks))]
    assert curve.labels[: 2 + model.blocks] == ("nothing", "head", *blocks)
    assert ("position embedding" in curve.labels) == (family == "a ViT of somebody's own")
    assert all(torch.equal(before[n], t) for n, t in model.network.state_dict().items())
