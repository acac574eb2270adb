"""Judging explanations with the network at hand, from a volume on."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from other_networks import OTHERS

import g3dvit_napari
from g3dvit_napari import api
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.removal import counts_of
from g3dvit_napari.core.types import Volume
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.removal.engine import RemovalEngine

BY_NETWORK = sorted(n for n, m in api.METRICS.items() if m.needs == {"network"})
METHODS = ["g3dvit", "libra_grad"]


class Stopped(Exception):
    """Somebody pressed a button."""


def made_volume(model: ModelHandle) -> Volume:
    size = model.image_shape[2:]
    return Volume(np.random.default_rng(0).normal(size=size).astype(np.float32), np.eye(4))


def test_methods_are_judged_by_what_the_network_says(
    tiny_volume: Volume, tiny_model: ModelHandle
) -> None:
    told: list[tuple[float, str]] = []
    found = g3dvit_napari.evaluate(
        tiny_volume,
        tiny_model,
        METHODS,
        metrics=["deletion", "insertion"],
        progress=lambda fraction, word: told.append((fraction, word)),
    )
    assert [j.explanation.request.method for j in found] == METHODS
    scores = [score for judgement in found for score in judgement.scores]
    assert all(np.isfinite([score.value, score.chance]).all() for score in scores)
    assert scores[0].chance == scores[2].chance
    assert scores[0].value != scores[2].value
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1
    assert {"g3dvit", "libra_grad: insertion", "removing"} <= {word for _, word in told}


def test_one_network_serves_all_methods_and_is_asked_little(
    tiny_volume: Volume, tiny_model: ModelHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[RemovalEngine] = []
    begin = RemovalEngine.__init__

    def noted(self: RemovalEngine, *args: object, **given: object) -> None:
        engines.append(self)
        begin(self, *args, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(RemovalEngine, "__init__", noted)
    api.evaluate(tiny_volume, tiny_model, ["saliency"], metrics=["deletion", "insertion"])
    api.evaluate(tiny_volume, tiny_model, ["saliency"], metrics=["relevance_mass"])
    api.evaluate(tiny_volume, tiny_model, ["saliency"] * 3, metrics=["deletion"])
    inner = len(counts_of("early", 36)) - 2
    both, none, again = (engine.asked for engine in engines)
    # One order of the map's and three drawn ones; small sets may meet by chance.
    assert 0.9 * 8 * inner < both <= 4 * 2 * inner + 1
    assert none == 0
    assert 0.9 * 4 * inner < again <= 4 * inner + 1


@pytest.mark.parametrize("when", [0.1, 0.5, 0.8])
def test_it_can_be_stopped(tiny_volume: Volume, tiny_model: ModelHandle, when: float) -> None:
    def stop(fraction: float, _: str) -> None:
        if fraction > when:
            raise Stopped

    with pytest.raises(Stopped):
        api.evaluate(tiny_volume, tiny_model, METHODS, metrics=["deletion"], progress=stop)


@pytest.mark.parametrize("name", OTHERS)
def test_networks_of_any_kind(name: str) -> None:
    model = OTHERS[name]()
    method = "saliency"
    (judgement,) = api.evaluate(made_volume(model), model, [method], metrics=BY_NETWORK)
    for score in judgement.scores:
        assert not isnan(score.chance), score.metric
        assert not isnan(score.value) or score.reason, score.metric


def test_a_twin_is_what_stands_where_a_part_was(
    tiny_volume: Volume, tiny_model: ModelHandle
) -> None:
    other = np.random.default_rng(8).normal(300, 80, tiny_volume.shape).astype(np.float32)
    twin = tiny_volume.like(other)
    settings = {"deletion": {"substrate": "twin"}}
    (judgement,) = api.evaluate(
        tiny_volume, tiny_model, metrics=["deletion"], settings=settings, twin=twin, target=1
    )
    said = api.predict(twin, tiny_model).probabilities[1]
    assert judgement.scores[0].figures["probability_baseline"] == pytest.approx(said, abs=1e-6)
    (without,) = api.evaluate(tiny_volume, tiny_model, metrics=["deletion"], settings=settings)
    assert "no twin" in without.scores[0].reason
    moved = Volume(other, tiny_volume.affine + np.eye(4))
    with pytest.raises(VolumeError, match="own grid"):
        api.evaluate(tiny_volume, tiny_model, metrics=["deletion"], twin=moved)


def test_voxels_outside_a_mask_are_left_alone(tiny_volume: Volume, tiny_model: ModelHandle) -> None:
    inside = np.zeros(tiny_volume.shape, np.int16)
    inside[4:14, 3:20, 2:12] = 1
    valid = tiny_volume.like(inside)
    for unit in ("patch", "voxel"):
        settings = {"deletion": {"unit": unit, "substrate": "mean"}}
        (judgement,) = api.evaluate(
            tiny_volume, tiny_model, metrics=["deletion"], settings=settings, valid=valid
        )
        score = judgement.scores[0]
        assert np.isfinite(score.value)
        assert abs(score.figures["probability"] - score.figures["probability_baseline"]) > 0


def test_a_mask_lies_on_the_input_where_it_lies_in_the_volume(
    tiny_volume: Volume, tiny_model: ModelHandle
) -> None:
    from g3dvit_napari.core.fit import Placement
    from g3dvit_napari.core.units import on_input

    random = np.random.default_rng(0).random(tiny_volume.shape) < 0.3
    marked = tiny_volume.like(np.where(random, 1e6, 0).astype(np.float32))
    placement = Placement(tiny_volume, tiny_model.spec)
    expected = Placement(marked, tiny_model.spec).to_tensor()[0] > 0
    np.testing.assert_array_equal(on_input(random, placement), expected)
