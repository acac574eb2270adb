"""Voxels as stored become native float32; those that are no numbers are counted and replaced."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.header import Header
from g3dvit_napari.io.stream import Stream

_MOST_MISSING = 0.2  # share of voxels inside the object that may be no numbers


def read_frame(stream: Stream, header: Header, index: int) -> NDArray[np.float32]:
    """Return one frame, scaled, in the file's own axis order; ask for frames ascending."""
    stream.skip_to(header.offset + index * header.frame_bytes)
    raw = stream.read(header.frame_bytes)
    if len(raw) < header.frame_bytes:
        raise VolumeError(
            f"{header.file.name}: file is {len(raw)} of {header.frame_bytes} bytes short of "
            f"frame {index}: truncated; fetch it again"
        )
    stored = np.frombuffer(raw, header.dtype).reshape(header.shape[:3], order="F")
    return scaled(stored, header.slope, header.inter)


def scaled(stored: NDArray[Any], slope: float, inter: float) -> NDArray[np.float32]:
    """Return slope * stored + inter; computed in float64 and rounded once."""
    with np.errstate(over="ignore", invalid="ignore"):
        if slope == 1.0 and inter == 0.0:
            return stored.astype(np.float32)
        return (stored * np.float64(slope) + np.float64(inter)).astype(np.float32)


def without_gaps(data: NDArray[np.float32], notes: list[str]) -> NDArray[np.float32]:
    """Replace NaN and Inf by zero and note how many there were.

    Raises
    ------
    VolumeError
        When more than a fifth of the voxels inside the object are missing; NaN around it, as
        statistics packages write for "outside the mask", is no damage.
    """
    finite = np.isfinite(data)
    gaps = data.size - int(np.count_nonzero(finite))
    if not gaps:
        return data
    if gaps == data.size:
        raise VolumeError("no voxel holds a finite number; the file is damaged or empty")
    inside = _enclosed(finite)
    share = int(np.count_nonzero(inside & ~finite)) / max(int(np.count_nonzero(inside)), 1)
    infinite = int(np.count_nonzero(np.isinf(data)))
    found = f"{gaps - infinite:,} NaN and {infinite:,} infinite (or beyond float32) voxels"
    if share > _MOST_MISSING:
        raise VolumeError(
            f"{found}: {share:.0%} of the voxels inside the object, more than "
            f"{_MOST_MISSING:.0%}; repair or fetch the file again"
        )
    notes.append(f"{found} were replaced by 0")
    return np.where(finite, data, np.float32(0))


def _enclosed(finite: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where finite voxels lie on both sides along every axis: the inside of the object."""
    inside = np.ones_like(finite)
    for axis in range(3):
        before = np.maximum.accumulate(finite, axis=axis)
        behind = np.flip(np.maximum.accumulate(np.flip(finite, axis), axis=axis), axis)
        inside &= before & behind
    return inside
