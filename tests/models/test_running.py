"""Work on a pass goes on with the CPU when the GPU is full; nothing else is swallowed."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

import g3dvit_napari as g3d
from g3dvit_napari.core.errors import Cancelled
from g3dvit_napari.core.progress import Ticks
from g3dvit_napari.models.handle import ModelHandle


class FullGpu:
    """A device that only this test knows: the first pass on it runs out of memory."""

    def __init__(
        self, model: ModelHandle, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        self.passes: list[str] = []
        real = ModelHandle.forward

        def forward(handle: ModelHandle, image: torch.Tensor, *asked: object) -> object:
            self.passes.append(str(handle.device))
            if handle.device.type == "cuda":
                raise error
            return real(handle, image, *asked)  # type: ignore[arg-type]

        monkeypatch.setattr(ModelHandle, "forward", forward)
        model.device = torch.device("cuda:0")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.99 GB, max allowed: 9.07 GB)."),
    ],
    ids=["cuda", "cublas", "mps"],
)
def test_out_of_memory_goes_on_with_the_cpu_and_says_so(
    error: Exception,
    tiny_model: ModelHandle,
    tiny_volume: g3d.Volume,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = g3d.explain(tiny_volume, tiny_model)
    gpu = FullGpu(tiny_model, monkeypatch, error)
    with caplog.at_level(logging.WARNING):
        explanation = g3d.explain(tiny_volume, tiny_model)
    assert gpu.passes == ["cuda:0", "cpu"]
    assert explanation.warnings[-1] == "cuda:0 has too little memory: computed on the cpu"
    assert "not enough memory on cuda:0" in caplog.text
    assert explanation.provenance["device"] == "cpu"
    np.testing.assert_array_equal(explanation.relevance.data, expected.relevance.data)


def test_other_errors_of_a_gpu_are_raised(
    tiny_model: ModelHandle, tiny_volume: g3d.Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = FullGpu(tiny_model, monkeypatch, RuntimeError("CUDA error: device-side assert triggered"))
    with pytest.raises(RuntimeError, match="device-side assert"):
        g3d.explain(tiny_volume, tiny_model)
    assert gpu.passes == ["cuda:0"]


def test_a_cancelled_run_does_not_stop_the_next_one(
    tiny_model: ModelHandle, tiny_volume: g3d.Volume
) -> None:
    steps: list[float] = []

    def stop_on_the_way_back(fraction: float, _word: str) -> None:
        steps.append(fraction)
        if len(steps) > tiny_model.blocks:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        g3d.explain(tiny_volume, tiny_model, "libra_grad", progress=stop_on_the_way_back)
    heard: list[float] = []
    again = g3d.explain(
        tiny_volume,
        tiny_model,
        "libra_grad",
        progress=lambda fraction, _: heard.append(fraction),
    )
    assert again.status == "ok"
    assert heard
    assert len(steps) == tiny_model.blocks + 1  # the first listener was not called again


def test_a_checkpoint_loaded_in_inference_mode_can_be_explained(
    tiny_files: Path, tiny_volume: g3d.Volume
) -> None:
    with torch.inference_mode():
        model = g3d.load_model(tiny_files / "vit.pth")
        inside = g3d.explain(tiny_volume, model, "libra_grad")
    outside = g3d.explain(tiny_volume, g3d.load_model(tiny_files / "vit.pth"), "libra_grad")
    np.testing.assert_array_equal(inside.patch_map.data, outside.patch_map.data)


def test_fractions_rise_and_stay_below_the_end() -> None:
    heard: list[float] = []
    ticks = Ticks(lambda fraction, word: heard.append(fraction), 3, "running")  # noqa: ARG005
    for _ in range(8):
        ticks()
    assert heard == sorted(heard)
    assert heard[0] == 0.25
    assert heard[-1] == 0.95
