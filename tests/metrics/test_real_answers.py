"""Faithfulness correlation and infidelity with the real engine: the network asked by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from g3dvit_napari.api.evaluating import evaluation_of, with_network
from g3dvit_napari.api.explaining import explain
from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.metrics.robustness.infidelity import Changed
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.removal.engine import RemovalEngine

PATCH = (4, 5, 5)  # f h w, of the tiny network


class Recorded:
    """The engine, and which units it was asked to remove."""

    def __init__(self, engine: Any) -> None:
        self._engine, self.masks = engine, list[NDArray[np.bool_]]()
        self.image, self.answers = engine.image, engine.answers

    def hidden(self, removal: Any, masks: Any) -> Any:
        self.masks += masks
        return self._engine.hidden(removal, masks)


@pytest.fixture
def judged(tiny_volume: Volume, tiny_model: ModelHandle) -> Evaluation:
    found = explain(tiny_volume, tiny_model, "libra_grad", 2, threshold=Threshold("none"))
    scene = with_network(Scene(Placement(tiny_volume, tiny_model.spec), 2), tiny_model)
    return evaluation_of(found, replace(scene, network=Recorded(scene.network)))


def logits(model: ModelHandle, image: NDArray[Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = model.logits(torch.from_numpy(image)[None])[0].double().numpy()
    return found


def test_faithfulness_correlation(judged: Evaluation, tiny_model: ModelHandle) -> None:
    score = scored("faithfulness_correlation", judged, {"draws": 40, "answer": "logit"})
    network = judged.scene.network
    assert isinstance(network, Recorded)
    costs, relevance = [], []
    for mask in network.masks[1:]:
        assert mask.sum() == round(0.1 * mask.size)
        grid = mask.reshape(judged.tokens.shape)
        image = np.where(np.kron(grid, np.ones(PATCH)) > 0, np.float32(0), network.image)
        costs.append(logits(tiny_model, network.image)[2] - logits(tiny_model, image)[2])
        relevance.append(judged.tokens[grid].sum())
    assert len(costs) == 40
    assert score.value == pytest.approx(np.corrcoef(relevance, costs)[0, 1], abs=1e-4)
    assert abs(score.value) > 0.01


@pytest.mark.parametrize("kind", ["gaussian", "box"])
def test_infidelity(kind: Any, judged: Evaluation, tiny_model: ModelHandle) -> None:
    settings = {"perturbation": kind, "draws": 12, "normalise": False, "relative": False}
    score = scored("infidelity", judged, settings)
    changed = Changed(judged.scene.placement.to_tensor(), kind, 12, 0)
    fine = np.kron(judged.tokens, np.ones(PATCH))
    said = [logits(tiny_model, changed[number])[2] for number in range(13)]
    products = [float((change[0] * fine).sum()) for change in changed.differences()]
    expected = np.mean((np.array(products) - (said[0] - np.array(said[1:]))) ** 2)
    assert score.value == pytest.approx(expected, rel=1e-4)


def test_the_engine_runs_once_per_question(judged: Evaluation) -> None:
    engine = judged.scene.network._engine  # type: ignore[union-attr]
    assert isinstance(engine, RemovalEngine)
    for _ in range(2):
        scored("faithfulness_correlation", judged)
        scored("infidelity", judged)
    assert engine.asked <= 201 + 65  # at most: the image itself is known from its pass


def test_the_same_answers_for_a_map_alone_and_among_others(judged: Evaluation) -> None:
    first = [scored(n, judged).value for n in ("faithfulness_correlation", "infidelity")]
    other = judged.of_map(judged.tokens[::-1].copy())
    assert scored("infidelity", other).value != first[1]
    fresh = replace(judged, scene=replace(judged.scene))
    again = [scored(n, fresh).value for n in ("faithfulness_correlation", "infidelity")]
    assert again == pytest.approx(first, rel=1e-6)
