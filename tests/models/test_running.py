"""Work on a pass goes on with the CPU when the GPU is full; nothing else is swallowed."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

import g3dvit_napari as g3d
from g3dvit_napari.core.progress import Ticks
from g3dvit_napari.models.handle import ModelHandle


class FullGpu:
    """A device that only this test knows: the first pass on it runs out of memory."""

    def __init__(self, model: ModelHandle, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passes: list[str] = []
        real = ModelHandle.forward

        def forward(handle: ModelHandle, image: torch.Tensor, tick: object) -> object:
            self.passes.append(str(handle.device))
            if handle.device.type == "cuda":
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return real(handle, image, tick)  # type: ignore[arg-type]

        monkeypatch.setattr(ModelHandle, "forward", forward)
        model.device = torch.device("cuda:0")


def test_out_of_memory_goes_on_with_the_cpu_and_says_so(
    tiny_model: ModelHandle,
    tiny_volume: g3d.Volume,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = g3d.explain(tiny_volume, tiny_model)
    gpu = FullGpu(tiny_model, monkeypatch)
    with caplog.at_level(logging.WARNING):
        explanation = g3d.explain(tiny_volume, tiny_model)
    assert gpu.passes == ["cuda:0", "cpu"]
    assert explanation.warnings[-1] == "cuda:0 has too little memory: computed on the cpu"
    assert "not enough memory on cuda:0" in caplog.text
    assert explanation.provenance["device"] == "cpu"
    np.testing.assert_array_equal(explanation.relevance.data, expected.relevance.data)


def test_fractions_rise_and_stay_below_the_end() -> None:
    heard: list[float] = []
    ticks = Ticks(lambda fraction, word: heard.append(fraction), 3, "running")  # noqa: ARG005
    for _ in range(8):
        ticks()
    assert heard == sorted(heard)
    assert heard[0] == 0.25
    assert heard[-1] == 0.95
