"""Where a NIfTI header says its voxels are: sform, qform, or a guess that is called a guess."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from nibabel.orientations import axcodes2ornt
from nibabel.spatialimages import HeaderDataError
from numpy.typing import ArrayLike, NDArray

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import AffineSource

Affine = NDArray[np.float64]
Form = Literal["auto", "sform", "qform"]
GUESS = "LAS"  # what readers of headers without orientation have agreed on
_DISAGREE_MM = 0.1  # a float32 quaternion alone may cost this much near half a turn
_UNITS = {1: ("metre", 1000.0), 3: ("micron", 0.001)}
_FARTHEST_MM = 1e7
_BRAIN_MM = (100.0, 400.0)


@dataclass(frozen=True, eq=False)
class Placed:
    """The affine of a file in its own axis order, in mm, and where it comes from."""

    affine: Affine
    source: AffineSource
    sform_code: int = 0
    qform_code: int = 0


def place(
    header: Any, shape: Sequence[int], notes: list[str], *, assume: str | None, form: Form
) -> Placed:
    """Return the affine of a NIfTI header; what is doubtful about it is added to `notes`."""
    header = _with_usable_pixdim(header, notes)
    codes = {name: _code(header, name, notes) for name in ("sform", "qform")}
    source = _chosen(codes, form)
    if source is None:
        affine = guessed(header["pixdim"][1:4], shape, notes, assume)
        return Placed(_in_mm(affine, header, shape, notes), "assumed")
    if assume:
        notes.append(f"the header has an orientation; the assumed one ({assume}) is not used")
    sform = np.asarray(header.get_sform(), float) if codes["sform"] else None
    qform = _qform(header) if codes["qform"] else None
    affine = _sound(sform, qform, source)
    if all(codes.values()):
        _compare(sform, qform, shape, notes, source)
    affine = _in_mm(affine, header, shape, notes)
    return Placed(affine, source, codes["sform"], codes["qform"])


def guessed(
    spacing: ArrayLike, shape: Sequence[int], notes: list[str], assume: str | None
) -> Affine:
    """Return an affine for a header without one: axes as told or guessed, world zero amid."""
    codes = checked_codes(assume) if assume else GUESS
    if assume:
        notes.append(f"no orientation in the header; {codes} was assumed as asked")
    else:
        notes.append(
            f"no orientation in the header; left and right are a guess ({GUESS}): "
            "state the true axes (assume_orientation) before naming sides or regions"
        )
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(axcodes2ornt(codes)):
        affine[int(world), axis] = sign * np.asarray(spacing, float)[axis]
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape[:3]) - 1) / 2)
    return affine


def checked_codes(codes: str) -> str:
    """Return three axis codes such as "LAS" in capitals, or refuse them."""
    letters = codes.upper()
    pairs = [set("LR"), set("PA"), set("IS")]
    if len(letters) != 3 or any(len(pair & set(letters)) != 1 for pair in pairs):
        raise VolumeError(f"an orientation is three axis codes such as LAS, got {codes!r}")
    return letters


def corner_distance_mm(one: Affine, other: Affine, shape: Sequence[int]) -> float:
    """Return by how much two affines differ at the worst corner of a grid."""
    corners = np.array([(*c, 1) for c in itertools.product(*((0, n - 1) for n in shape[:3]))])
    return float(np.linalg.norm(corners @ (one - other).T[:, :3], axis=1).max())


def defect(affine: Affine) -> str:
    """Say what makes an affine unusable; empty when nothing does."""
    if not np.isfinite(affine).all():
        return "contains NaN or Inf"
    if np.abs(affine).max() > _FARTHEST_MM:
        return f"holds an impossible length of {np.abs(affine).max():.3g}"
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() < 1e-9 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-4:
        return "is singular"
    return ""


def _with_usable_pixdim(header: Any, notes: list[str]) -> Any:
    """Return a copy whose voxel sizes are positive and whose qfac is one or minus one."""
    header = header.copy()
    sizes = np.array(header["pixdim"][1:4], float)
    usable = np.where(np.isfinite(sizes) & (sizes != 0), np.abs(sizes), 1.0)
    if not np.array_equal(sizes, usable):
        was, now = ([float(f"{v:g}") for v in values] for values in (sizes, usable))
        notes.append(f"voxel size was repaired: pixdim says {was}, used is {now}")
        header["pixdim"][1:4] = usable
    qfac = float(header["pixdim"][0])
    if qfac not in (-1.0, 1.0):
        if int(header["qform_code"]) > 0:
            notes.append(
                f"pixdim[0] (qfac) is {qfac:g}, taken as +1; the qform's third axis may be flipped"
            )
        header["pixdim"][0] = 1
    return header


def _code(header: Any, name: str, notes: list[str]) -> int:
    code = int(header[f"{name}_code"])
    if code in range(6):
        return code
    notes.append(f"{name}_code {code} is unknown and counts as 0 (no {name})")
    return 0


def _chosen(codes: dict[str, int], form: Form) -> Literal["sform", "qform"] | None:
    if form != "auto" and not codes[form]:
        raise VolumeError(f"the {form} was asked for but its code is 0; read with form='auto'")
    if form == "qform" or (codes["qform"] and not codes["sform"]):
        return "qform"
    return "sform" if codes["sform"] else None


def _qform(header: Any) -> Affine | None:
    """Return the affine of the quaternion, None when it is no rotation."""
    try:
        with np.errstate(all="ignore"):
            affine = np.asarray(header.get_qform(), float)
    except (ValueError, HeaderDataError):  # quaternion longer than one
        return None
    return None if defect(affine) else affine


def _sound(sform: Affine | None, qform: Affine | None, source: str) -> Affine:
    """Return the chosen affine, or say what is wrong with it and what else there is."""
    if source == "qform" or sform is None:
        if qform is None:
            other = "there is no sform" if sform is None else "the sform was not asked for"
            raise VolumeError(
                f"the qform is invalid (its quaternion is no rotation) and {other}; "
                "repair the header or fetch the file again"
            )
        return qform
    wrong = defect(sform)
    if wrong:
        hint = "repair the header"
        if qform is not None:
            hint = "its qform is valid: set sform_code to 0, or read with form='qform'"
        rows = np.array2string(sform[:3], precision=3, separator=" ").replace("\n", "")
        raise VolumeError(f"the affine {wrong} (sform {rows}); {hint}")
    return sform


def _compare(
    sform: Affine | None, qform: Affine | None, shape: Sequence[int], notes: list[str], used: str
) -> None:
    """Note a disagreement between sform and qform: other programs may use the other one."""
    if sform is None or defect(sform):
        notes.append("the sform is invalid and is ignored; the qform is used")
        return
    if qform is None:
        notes.append("the qform is invalid and is ignored; the sform is used")
        return
    distance = corner_distance_mm(sform, qform, shape)
    if distance <= _DISAGREE_MM:
        return
    one, other = (_directions(affine) for affine in (sform, qform))
    turn = one.T @ other
    mirrored = np.linalg.det(turn) < 0
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    how = "mirrored against each other" if mirrored else f"turned by {angle:.1f} degrees"
    notes.append(
        f"sform and qform disagree by up to {distance:.1f} mm ({how}); the {used} is used, "
        "other programs may use the other one"
    )


def _directions(affine: Affine) -> Affine:
    """Return the nearest orthogonal matrix: the axes' directions without scale and shear."""
    matrix = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right, float)


def _in_mm(affine: Affine, header: Any, shape: Sequence[int], notes: list[str]) -> Affine:
    """Convert metre and micron to mm, when a head could have the size that comes out."""
    name, scale = _UNITS.get(int(header["xyzt_units"]) & 7, ("mm", 1.0))
    if scale == 1.0:
        return affine
    affine = np.diag([scale, scale, scale, 1.0]) @ affine
    extent = float((np.linalg.norm(affine[:3, :3], axis=0) * np.asarray(shape[:3])).max())
    if not _BRAIN_MM[0] <= extent <= _BRAIN_MM[1]:
        raise VolumeError(
            f"the header's unit is {name}, which makes the field of view {extent:g} mm; a head "
            "needs 100 to 400 mm: set xyzt_units to what the affine really uses (2 for mm)"
        )
    notes.append(f"the header's unit is {name}; converted to mm")
    return affine
