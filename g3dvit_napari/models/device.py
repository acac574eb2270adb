"""The memory of the device on which a network runs; PyTorch loads only once there is a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from g3dvit_napari.core.device import DeviceState

if TYPE_CHECKING:
    import torch

    from g3dvit_napari.models.handle import ModelHandle


def device_state(model: ModelHandle | None = None) -> DeviceState:
    """Return where a network runs and how much memory is free; without one, of this computer."""
    return _of_computer("") if model is None else state_of(model.device)


def usual_device() -> DeviceState:
    """Return the device that "auto" stands for here."""
    from g3dvit_napari.models.handle import resolve_device

    return state_of(resolve_device("auto"))


def state_of(device: torch.device) -> DeviceState:
    """Return the state of a device."""
    import torch

    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        number = torch.cuda.current_device() if device.index is None else device.index
        return DeviceState(f"cuda:{number} {torch.cuda.get_device_name(number)}", free, total)
    if device.type == "mps":  # it shares the computer's memory
        return _of_computer("MPS")
    return _of_computer("CPU", torch.get_num_threads())


def _of_computer(name: str, threads: int = 0) -> DeviceState:
    memory = psutil.virtual_memory()
    return DeviceState(name, memory.available, memory.total, threads)
