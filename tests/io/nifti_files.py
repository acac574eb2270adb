"""Odd-sized volumes on an oblique grid, and their headers in either byte order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

MakeNifti = Callable[..., Path]
SHAPE = (19, 23, 17)
OBLIQUE = np.array(
    [[-1.9, 0.2, 0.1, 17.5], [0.25, 2.4, -0.3, -31.0], [-0.1, 0.3, 3.1, -12.25], [0, 0, 0, 1]]
)


def random_data(shape: tuple[int, ...] = SHAPE) -> NDArray[np.int16]:
    return np.random.default_rng(7).integers(-900, 3000, shape).astype(np.int16)


def header_of(data: NDArray[Any], affine: NDArray[Any], order: str, version: int) -> Any:
    kind = nib.Nifti1Header if version == 1 else nib.Nifti2Header
    header = kind(endianness=order)
    header.set_data_shape(data.shape)
    header.set_data_dtype(data.dtype.newbyteorder(order))
    header.set_zooms([*np.linalg.norm(affine[:3, :3], axis=0), 2.5, 1][: data.ndim])
    header.set_sform(affine, 1)
    header.set_xyzt_units("mm", "sec")
    header["vox_offset"] = 352 if version == 1 else 544
    header["magic"] = b"n+1" if version == 1 else b"n+2"
    return header


def peak_mb() -> float:
    """Return the most memory this process ever had; a parent's memory does not count."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def run_alone(code: str, path: Path) -> str:
    """Run Python code on a file in a process of its own; nothing may be printed to stderr."""
    found = subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    )
    assert found.stderr == ""
    return found.stdout
