"""A target that only silences what spoke against its class is found by the difference alone."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from g3dvit_napari import benchmark
from g3dvit_napari.core.controls import oracle
from g3dvit_napari.core.evaluation import Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Volume
from g3dvit_napari.models.handle import ModelHandle

sys.path.append(str(Path(__file__).parents[1]))
counter_evidence = importlib.import_module("benchmarks.counter_evidence")


def test_shares_and_hits_are_those_that_were_made(monkeypatch, tiny_network, tiny_spec) -> None:
    cell = benchmark.task_named("cubes-24-6-4-0.2-free-triple-plain")
    spec = tiny_spec.model_copy(
        update={
            "input": cell.input,
            "network": tiny_spec.network.model_copy(
                update={"image_size": (24, 24, 24), "patch": (4, 4, 4)}
            ),
        }
    )
    sample = next(s for s in (cell.draw("test", i) for i in range(9)) if s.signal.any())
    model = ModelHandle(tiny_network, spec, torch.device("cpu"), ())
    scene = Scene(Placement(sample.volume, spec), sample.label, truth=sample.signal)
    target = oracle(scene) > 0

    def made(_model: object, volume: Volume, _label: int) -> np.ndarray:
        silenced = 0.0 if np.array_equal(volume.data, sample.data) else -5.0
        return np.where(target, silenced, 3.0)

    monkeypatch.setattr(counter_evidence, "shares", made)
    own, twin, rest, rest_of_twin, hit, found = counter_evidence.told(model, sample)
    assert own == 0.0
    assert twin == pytest.approx(-5.0 * target.sum())
    assert rest == rest_of_twin == pytest.approx(3.0 * (~target).sum())
    assert (hit, found) == (0.0, 1.0)
