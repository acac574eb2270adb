"""Arithmetic of float32 in float32, whatever faster and coarser ways the process has asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import Any

import torch
from torch import backends

Restore = Callable[[], None]

_GUARD = threading.Lock()
_inside = 0
_restore: list[Restore] = []


@contextmanager
def full_precision() -> Iterator[None]:
    """Products and convolutions in float32 inside; what was set before is set again after.

    Graphics cards convolve in TF32 unless told not to, and multiply in it where a training script
    has called `torch.set_float32_matmul_precision`: 10 bits of mantissa, errors of 1e-3. These
    settings belong to the process, so the first of several threads saves them and the last one
    brings them back.
    """
    global _inside
    with _GUARD:
        if _inside == 0:
            _restore.extend((_exact_products(), _exact_convolutions()))
        _inside += 1
    try:
        yield
    finally:
        with _GUARD:
            _inside -= 1
            while _inside == 0 and _restore:
                _restore.pop()()


def _exact_products() -> Restore:
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:  # set by torch's newer names, and torch wants them not to be mixed
        return _exact_operations("cuda.matmul", "mkldnn.matmul")
    if before == "highest":
        return _nothing
    torch.set_float32_matmul_precision("highest")
    return partial(torch.set_float32_matmul_precision, before)


def _exact_convolutions() -> Restore:
    try:
        before = backends.cudnn.allow_tf32
    except RuntimeError:
        return _exact_operations("cudnn.conv", "cudnn.rnn")
    backends.cudnn.allow_tf32 = False
    inherited = _nothing
    if getattr(backends, "fp32_precision", "none") not in {"none", "ieee"}:
        inherited = _exact_operations("cudnn.conv", "cudnn.rnn")

    def restore() -> None:
        inherited()
        backends.cudnn.allow_tf32 = before

    return restore


def _nothing() -> None:
    """Restore nothing."""


def _exact_operations(*names: str) -> Restore:
    operations: list[Any] = [attrgetter(name)(backends) for name in names]
    before = [operation.fp32_precision for operation in operations]
    for operation in operations:
        operation.fp32_precision = "ieee"

    def restore() -> None:
        for operation, precision in zip(operations, before, strict=True):
            operation.fp32_precision = "none"  # what is then inherited need not be set
            if operation.fp32_precision != precision:
                operation.fp32_precision = precision

    return restore
