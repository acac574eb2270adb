"""The memory of a device, against what the system and PyTorch say."""

from __future__ import annotations

import psutil
import torch

from g3dvit_napari import api
from g3dvit_napari.models.device import state_of
from g3dvit_napari.models.handle import ModelHandle


def test_cpu_has_the_memory_of_the_computer(tiny_model: ModelHandle) -> None:
    found = api.device_state(tiny_model)
    assert (found.name, found.threads) == ("CPU", torch.get_num_threads())
    assert found.total == psutil.virtual_memory().total
    assert 0 < found.free < found.total


def test_without_a_network_no_device_is_named() -> None:
    found = api.device_state()
    assert (found.name, found.threads) == ("", 0)
    assert found.total == psutil.virtual_memory().total


def test_gpu_has_its_own_memory(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (3, 8))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"GPU {number}")
    found = state_of(torch.device("cuda:1"))
    assert (found.name, found.free, found.total) == ("cuda:1 GPU 1", 3, 8)


def test_the_usual_device_is_the_one_that_auto_takes(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert api.usual_device().name == "CPU"
