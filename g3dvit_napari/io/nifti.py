"""Volumes from files and back: RAS+ float32 in memory, the file's own orientation on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import (
    apply_orientation,
    inv_ornt_aff,
    io_orientation,
    ornt2axcodes,
    ornt_transform,
)
from numpy.typing import DTypeLike, NDArray

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import Source, Volume
from g3dvit_napari.io.atomic import replacing
from g3dvit_napari.io.forms import Form, corner_distance_mm
from g3dvit_napari.io.frames import Frame, Group, plan_frames
from g3dvit_napari.io.header import Header, read_header
from g3dvit_napari.io.stream import Contents, Stream, examine, open_stream
from g3dvit_napari.io.volume_file import is_gzip, stem_of
from g3dvit_napari.io.voxels import read_frame, without_gaps

MAX_MEMORY = 4_000_000_000
_DEFLATE_LIMIT = 1032  # no deflate stream expands further
_SUSPICIOUS_RATIO = 100  # images shrink about two- to tenfold
_SLACK = 1 << 28  # bytes behind the described data that are still counted, not refused
_SAME_MM = 0.01  # a quaternion in float32 is that exact, except near half a turn
_RAS = np.array([[0, 1], [1, 1], [2, 1]])


def read_volume(
    path: str | Path,
    frame: Frame = None,
    *,
    max_memory: int = MAX_MEMORY,
    assume_orientation: str | None = None,
    form: Form = "auto",
) -> Volume:
    """Return one volume of a NIfTI, MGH or Analyze file, in RAS+ order and float32.

    Parameters
    ----------
    path
        `.nii`, `.nii.gz`, `.mgh`, `.mgz`, or one half of a `.hdr`/`.img` pair.
    frame
        Of a 4-D file: an index from 0, or "mean" (also None).
    max_memory
        Bytes that reading may need; more is refused before anything is read.
    assume_orientation
        Axis codes such as "LAS" for files whose header has no orientation.
    form
        Which of sform and qform to use; "auto" prefers the sform.

    Raises
    ------
    VolumeError
        When the file is damaged, is no scalar volume, or cannot mean what its header says.
    """
    opened = _open(path, max_memory, assume_orientation, form)
    groups = plan_frames(frame, opened.header.frames)
    if len(groups) != 1 or str(frame).strip().lower().startswith(("all", "every")):
        raise VolumeError(f"frame policy {frame!r} yields several volumes; use load_frames")
    return next(_read(opened, groups, max_memory))


def read_frames(
    path: str | Path,
    frame: Frame = "all",
    *,
    max_memory: int = MAX_MEMORY,
    assume_orientation: str | None = None,
    form: Form = "auto",
) -> Iterator[Volume]:
    """Yield the volumes of a frame policy ("all", "every k", "mean", an index), in ascending order.

    The file is opened once and read forwards; one frame is in memory at a time. See
    `read_volume` for the other parameters.
    """
    opened = _open(path, max_memory, assume_orientation, form)
    return _read(opened, plan_frames(frame, opened.header.frames), max_memory)


def frame_count(path: str | Path) -> int:
    """Return the number of frames of a file, 1 for a 3-D one; only the header is read."""
    return read_header(path).frames


@dataclass(frozen=True)
class _Opened:
    header: Header
    contents: Contents
    warnings: tuple[str, ...]


def _open(path: str | Path, max_memory: int, assume: str | None, form: Form) -> _Opened:
    """Check a file in the order header, memory, stream, size; no voxel is kept."""
    header = read_header(path, assume_orientation=assume, form=form)
    _check_memory(header, max_memory, averaged=False)
    voxels = header.file.voxels
    contents = examine(voxels, header.offset + header.data_bytes + _SLACK)
    held = max(contents.size - header.offset, 0)
    if held < header.data_bytes:
        raise VolumeError(
            f"{header.file.name}: file is {held:,} of {header.data_bytes:,} data bytes: "
            "truncated, or its dimensions are wrong; fetch it again"
        )
    warnings = header.warnings
    if held > header.data_bytes and header.format != "MGH":  # MGH has a footer
        more = held - header.data_bytes
        warnings += (f"the file holds {more:,} bytes more than the header describes",)
    return _Opened(header, contents, warnings)


def _check_memory(header: Header, max_memory: int, *, averaged: bool) -> None:
    """Refuse what cannot be true of the file's size, and what would not fit into memory."""
    name, described = header.file.name, header.data_bytes
    size = header.file.voxels.stat().st_size
    # As stored, as float32, its reoriented copy; a mean also needs a float64 sum.
    need = header.frame_bytes // header.dtype.itemsize * (header.dtype.itemsize + 8 + 8 * averaged)
    if need > max_memory:
        raise VolumeError(
            f"{name}: reading shape {header.shape} needs {need / 1e9:,.1f} GB, more than the "
            f"limit of {max_memory / 1e9:,.1f} GB; check the header or raise max_memory"
        )
    if not is_gzip(header.file.voxels):
        return
    if described > _DEFLATE_LIMIT * size:
        raise VolumeError(
            f"{name}: the header describes {described:,} bytes, but {size:,} compressed bytes "
            "cannot hold that many: the header is wrong or the file truncated; fetch it again"
        )
    if described > max_memory and described > _SUSPICIOUS_RATIO * size:
        raise VolumeError(
            f"{name}: {size / 1e6:,.1f} MB would unpack to {described / 1e9:,.1f} GB, more than "
            f"the limit of {max_memory / 1e9:,.1f} GB; raise max_memory if that is meant"
        )


def _read(opened: _Opened, groups: Sequence[Group], max_memory: int) -> Iterator[Volume]:
    header = opened.header
    _check_memory(header, max_memory, averaged=any(len(g.indices) > 1 for g in groups))
    with open_stream(header.file.voxels) as stream:
        for group in groups:
            notes: list[str] = []
            try:
                data = without_gaps(_average(stream, header, group.indices), notes)
            except VolumeError as error:
                if str(error).startswith(header.file.name):
                    raise
                raise VolumeError(f"{header.file.name}: {error}") from error
            yield _volume(opened, group, data, notes)


def _average(stream: Stream, header: Header, indices: range) -> NDArray[np.float32]:
    if len(indices) == 1:
        return read_frame(stream, header, indices[0])
    total = np.zeros(header.shape[:3], order="F")
    for index in indices:
        total += read_frame(stream, header, index)
    return (total / len(indices)).astype(np.float32)


def _volume(
    opened: _Opened, group: Group, data: NDArray[np.float32], notes: Sequence[str]
) -> Volume:
    """Turn a stored array to RAS+ by flips and swaps alone, and remember how it was stored."""
    header = opened.header
    to_ras = io_orientation(header.affine)
    source = Source(
        name=header.file.name,
        shape=header.shape,
        affine=header.affine,
        orientation="".join(ornt2axcodes(to_ras)),
        affine_source=header.affine_source,
        sform_code=header.placed.sform_code,
        qform_code=header.placed.qform_code,
        sha256=opened.contents.sha256,
        frame=group.words,
        repetition_time=header.repetition_time,
        warnings=(*opened.warnings, *notes),
    )
    turned = np.asfortranarray(apply_orientation(data, to_ras))
    affine = header.affine @ inv_ornt_aff(to_ras, header.shape[:3])
    return Volume(turned, affine, stem_of(header.file.name), source)


def write_volume(volume: Volume, path: str | Path, dtype: DTypeLike = np.float32) -> Path:
    """Write a volume as `.nii` or `.nii.gz`, stored the way its source file was stored.

    Axis order and form codes are those of the source, also when the volume lies on another grid
    (a patch grid, say); lengths are in mm. The qform is written when it can hold the affine, else
    its code is 0. Codes that would lose the affine give way to sform code 2 ("aligned"); so do
    volumes without a source, which are stored in RAS order. The data type is never the source's.
    An existing file is replaced; it appears under its name only when it is complete.

    Raises
    ------
    VolumeError
        When the name has another extension, the values do not fit the type, or the disk refuses.
    """
    target = Path(path)
    with replacing(target) as (temporary,):
        write_image(volume, temporary, dtype)
    return target


def write_image(volume: Volume, path: Path, dtype: DTypeLike = np.float32) -> None:
    """Write a volume to a path without any care for what is there; see `write_volume`."""
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise VolumeError(f"cannot write {path.name!r}; give a name that ends in .nii or .nii.gz")
    data, affine = _as_stored(volume)
    data = _cast(data, np.dtype(dtype))
    header = _image_header(data, affine, volume.source)
    # The header's own reading of the affine: with another one nibabel would rewrite the codes.
    nib.Nifti1Image(data, header.get_best_affine(), header).to_filename(path)


def _as_stored(volume: Volume) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Undo the turn to RAS+: array and affine in the axis order of the source file."""
    source = volume.source
    if source is None:
        return volume.data, volume.affine
    back = ornt_transform(_RAS, io_orientation(source.affine))
    affine = volume.affine @ inv_ornt_aff(back, volume.shape)
    same_grid = np.allclose(affine, source.affine, rtol=0, atol=1e-6)
    return apply_orientation(volume.data, back), source.affine if same_grid else affine


def _cast(data: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind not in "iuf" or dtype in (np.int64, np.uint64, np.float16):
        raise VolumeError(f"cannot write {dtype}; choose float32, uint8, int16 or int32")
    if dtype.kind in "iu" and data.dtype != dtype:
        limits = np.iinfo(dtype)
        fits = np.isfinite(data) & (data >= limits.min) & (data <= limits.max)
        if not (fits.all() and np.array_equal(np.rint(data), data)):
            raise VolumeError(f"the values are no whole numbers within {dtype}; write float32")
    with np.errstate(over="ignore"):
        return data.astype(dtype, copy=False)


def _image_header(data: NDArray[Any], affine: NDArray[np.float64], source: Source | None) -> Any:
    header = nib.Nifti1Header()
    header.set_data_shape(data.shape)
    header.set_data_dtype(data.dtype)
    header.set_xyzt_units("mm")
    codes = (source.sform_code, source.qform_code) if source else (2, 0)
    header.set_zooms(np.linalg.norm(affine[:3, :3], axis=0))
    header.set_qform(affine, codes[1], strip_shears=True)
    if corner_distance_mm(header.get_qform(), affine, data.shape) > _SAME_MM:
        header["qform_code"] = 0
    header.set_sform(affine, codes[0])
    if corner_distance_mm(header.get_best_affine(), affine, data.shape) > _SAME_MM:
        header["sform_code"] = 2
    values = data[np.isfinite(data)]
    if values.size:
        header["cal_min"], header["cal_max"] = float(values.min()), float(values.max())
    return header
