"""A process that multiplies and convolves coarsely, and a watch for what is computed so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = (
    "mm", "bmm", "addmm", "baddbmm", "convolution", "convolution_backward", "_scaled_dot_product",
)  # fmt: skip


@contextmanager
def coarse_arithmetic() -> Iterator[None]:
    """Ask for quick products, as training scripts do, and convolve as graphics cards do."""
    products, convolutions = settings()
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True
    yield
    torch.set_float32_matmul_precision(products)
    torch.backends.cudnn.allow_tf32 = convolutions


def settings() -> tuple[str, bool]:
    """Return what the process has asked for."""
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


class Watch(TorchDispatchMode):
    """Notes products forward and backward, and which of them were coarse."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.coarse: set[str] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), keywords: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name.startswith(PRODUCTS):
            self.seen.add(name)
            if settings() != ("highest", False):
                self.coarse.add(name)
        return function(*args, **(keywords or {}))
