"""Headers, checked before a voxel is read: NIfTI-1 and -2, MGH, Analyze.

Nothing here uses a loader: the header bytes are laid over their published structure and every
field is judged by itself, so a broken file yields one sentence instead of a log and a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import AffineSource
from g3dvit_napari.io.forms import Form, Placed, defect, guessed, place
from g3dvit_napari.io.stream import open_stream
from g3dvit_napari.io.volume_file import VolumeFile, locate

ByteOrder = Literal["little", "big"]
_NIFTI_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8",
    1280: "u8",
}  # fmt: skip
_REFUSED_TYPES = {
    1: "a 1-bit image; convert it to uint8",
    32: "a complex image; choose magnitude (or real part) and convert it to float32",
    128: "a colour image (RGB), not a scalar volume; convert it to grey values",
    1536: "stored as 128-bit floats; convert it to float32",
    1792: "a complex image; choose magnitude (or real part) and convert it to float32",
    2048: "a complex image; choose magnitude (or real part) and convert it to float32",
    2304: "a colour image (RGBA), not a scalar volume; convert it to grey values",
}
_MGH_TYPES = {0: "u1", 1: "i4", 3: "f4", 4: "i2"}
_MGH = np.dtype(
    [("version", ">i4"), ("dims", ">i4", 4), ("type", ">i4"), ("dof", ">i4"), ("good", ">i2"),
     ("delta", ">f4", 3), ("axes", ">f4", (3, 3)), ("centre", ">f4", 3)]
)  # fmt: skip
_MGH_OFFSET = 284
_ORDERS: tuple[ByteOrder, ...] = ("little", "big")
_SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}
_LONGEST_TR = 100.0  # nobody waits longer for one frame: the number is in milliseconds


@dataclass(frozen=True, eq=False)
class Header:
    """A checked header: how to read the voxels, and where they are in the head."""

    file: VolumeFile
    format: str
    shape: tuple[int, ...]  # (x, y, z) or (x, y, z, t)
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float
    placed: Placed
    repetition_time: float | None
    warnings: tuple[str, ...]

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel to world millimetres, in the file's own axis order."""
        return self.placed.affine

    @property
    def affine_source(self) -> AffineSource:
        """Which part of the header the affine comes from."""
        return self.placed.source

    @property
    def frames(self) -> int:
        """Number of frames; one for a 3-D volume."""
        return self.shape[3] if len(self.shape) == 4 else 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame as stored."""
        return prod(self.shape[:3]) * self.dtype.itemsize

    @property
    def data_bytes(self) -> int:
        """Bytes of all voxels as stored."""
        return self.frame_bytes * self.frames


def read_header(
    path: str | Path, *, assume_orientation: str | None = None, form: Form = "auto"
) -> Header:
    """Return the checked header of a volume file; no voxel is read.

    Raises
    ------
    VolumeError
        When the file is no volume, or its header cannot be true.
    """
    file = locate(path)
    with open_stream(file.header) as stream:
        block = stream.read(540)
    try:
        with np.errstate(all="ignore"):  # damaged numbers are judged, not computed with
            if file.suffix == ".mgh":
                header = _read_mgh(file, block, assume_orientation)
            else:
                header = _read_nifti(file, block, assume_orientation, form)
        wrong = defect(header.affine)
        if wrong:
            raise VolumeError(f"the affine {wrong}; repair the header or fetch the file again")
    except VolumeError as error:
        if str(error).startswith(file.name):
            raise
        raise VolumeError(f"{file.name}: {error}") from error
    return header


def _read_nifti(file: VolumeFile, block: bytes, assume: str | None, form: Form) -> Header:
    name, header = _nifti_structure(file, block)
    notes: list[str] = []
    shape = _shape(header, notes)
    dtype = _dtype(int(header["datatype"]), _NIFTI_TYPES, header.endianness)
    offset = _offset(file, name, header)
    if name == "Analyze":
        notes.append("Analyze files hold no orientation; converting to NIfTI with it is better")
        sizes = np.abs(np.array(header["pixdim"][1:4], float))
        sizes = np.where(np.isfinite(sizes) & (sizes > 0), sizes, 1.0)
        placed = Placed(guessed(sizes, shape, notes, assume), "assumed")
        slope, inter, repetition = 1.0, 0.0, None
    else:
        placed = place(header, shape, notes, assume=assume, form=form)
        slope, inter = _scaling(header, notes)
        repetition = _repetition_time(header, shape, notes)
    return Header(file, name, shape, dtype, offset, slope, inter, placed, repetition, tuple(notes))


def _nifti_structure(file: VolumeFile, block: bytes) -> tuple[str, Any]:
    """Lay the right structure over the header bytes, in the byte order that makes sense."""
    for order in _ORDERS:
        length = int.from_bytes(block[:4], order)
        if length in (348, 540):
            break
    else:
        raise VolumeError(
            f"not a NIfTI header: it starts with {block[:4]!r} instead of its length (348 or 540); "
            "the file is damaged or of another kind"
        )
    if len(block) < length:
        raise VolumeError(f"truncated: {len(block)} of {length} header bytes; fetch it again")
    magic = block[344:348] if length == 348 else block[4:8]
    single, pair = (b"n+1\0", b"ni1\0") if length == 348 else (b"n+2\0", b"ni2\0")
    if file.suffix == ".nii" and magic == pair:
        raise VolumeError("the header says that the voxels are in an .img file; rename it to .hdr")
    if magic in (single, pair):
        kind = nib.Nifti1Header if length == 348 else nib.Nifti2Header
        name = "NIfTI-1" if length == 348 else "NIfTI-2"
        header = kind(block[:length], endianness=order, check=False)
        if 3000 <= int(header["intent_code"]) < 3100:
            raise VolumeError("a surface/greyordinate file (CIFTI), not a volume; give a volume")
        return name, header
    if file.suffix == ".hdr" and length == 348:
        return "Analyze", nib.AnalyzeHeader(block[:348], endianness=order, check=False)
    raise VolumeError(f"not a NIfTI header: its magic is {magic!r}; the file is damaged")


def _shape(header: Any, notes: list[str]) -> tuple[int, ...]:
    dims = [int(n) for n in header["dim"]]
    count = dims[0]
    if not 1 <= count <= 7 or any(n < 1 for n in dims[1 : count + 1]):
        raise VolumeError(f"impossible dimensions {dims}; the header is damaged")
    return checked_shape(dims[1 : count + 1], notes)


def checked_shape(dims: Sequence[int], notes: list[str]) -> tuple[int, ...]:
    """Return (x, y, z) or (x, y, z, t); refuse what is flat, and what has vectors for voxels."""
    shape = tuple(dims)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 4:
        raise VolumeError(
            f"shape {tuple(dims)} is a vector image (a displacement field?); "
            "choose one component and save it as a 3-D volume"
        )
    if len(shape) < 3 or min(shape[:3]) < 2:
        thick = sum(n > 1 for n in shape[:3])
        raise VolumeError(f"needs a 3D volume; got {thick}D (shape {tuple(dims)})")
    if len(dims) > len(shape):
        notes.append(f"shape {tuple(dims)} was squeezed to {shape}")
    return shape


def _dtype(code: int, known: dict[int, str], order: Literal["<", ">"]) -> np.dtype[Any]:
    if code in known:
        return np.dtype(known[code]).newbyteorder(order)
    what = _REFUSED_TYPES.get(code) if known is _NIFTI_TYPES else None
    raise VolumeError(what or f"the data type code {code} is unknown; convert it to float32")


def _offset(file: VolumeFile, name: str, header: Any) -> int:
    value = float(header["vox_offset"])
    least = {"NIfTI-1": 352, "NIfTI-2": 544}.get(name, 0) if file.suffix == ".nii" else 0
    if not np.isfinite(value) or value < least or value != int(value):
        raise VolumeError(
            f"vox_offset is {value:g}, but voxels cannot start before byte {least}; "
            "the header is damaged"
        )
    return int(value)


def _scaling(header: Any, notes: list[str]) -> tuple[float, float]:
    """Return slope and intercept; a slope of zero or NaN means that there is no scaling."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isinf(slope):
        notes.append("scl_slope is Inf and is ignored; values are as stored")
    if not np.isfinite(slope) or slope == 0:
        return 1.0, 0.0
    if not np.isfinite(inter):
        raise VolumeError(f"scl_inter is {inter} beside a scl_slope of {slope:g}; set it to 0")
    if slope < 0:
        notes.append(f"scl_slope is {slope:g}: intensities are inverted")
    return slope, inter


def _repetition_time(header: Any, shape: tuple[int, ...], notes: list[str]) -> float | None:
    if len(shape) < 4:
        return None
    stored = float(header["pixdim"][4])
    seconds = stored * _SECONDS.get(int(header["xyzt_units"]) & 56, 1.0)
    if not np.isfinite(seconds) or seconds <= 0:
        return None
    if seconds > _LONGEST_TR:
        notes.append(f"repetition time {seconds:g} s cannot be; taken as {seconds / 1000:g} s")
        seconds /= 1000
    return seconds


def _read_mgh(file: VolumeFile, block: bytes, assume: str | None) -> Header:
    if len(block) < _MGH_OFFSET:
        raise VolumeError(f"truncated: {len(block)} of {_MGH_OFFSET} header bytes; fetch it again")
    fields = np.frombuffer(block[: _MGH.itemsize], _MGH)[0]
    if int(fields["version"]) != 1:
        raise VolumeError(f"not an MGH header: version {int(fields['version'])} instead of 1")
    dims = [int(n) for n in fields["dims"]]
    if min(dims) < 1:
        raise VolumeError(f"impossible dimensions {dims}; the header is damaged")
    notes: list[str] = []
    shape = checked_shape(dims if dims[3] > 1 else dims[:3], notes)
    dtype = _dtype(int(fields["type"]), _MGH_TYPES, ">")
    placed = _mgh_place(fields, shape, notes, assume)
    return Header(file, "MGH", shape, dtype, _MGH_OFFSET, 1.0, 0.0, placed, None, tuple(notes))


def _mgh_place(fields: Any, shape: tuple[int, ...], notes: list[str], assume: str | None) -> Placed:
    if int(fields["good"]) != 1:
        return Placed(guessed(np.ones(3), shape, notes, assume), "assumed")
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(fields["axes"], float).T * np.asarray(fields["delta"], float)
    middle = np.asarray(shape[:3]) / 2
    affine[:3, 3] = np.asarray(fields["centre"], float) - affine[:3, :3] @ middle
    return Placed(affine, "file")
