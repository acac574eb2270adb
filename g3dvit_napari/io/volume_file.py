"""Which file a volume is in, judged by name and first bytes before anything in it is believed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from g3dvit_napari.core.errors import VolumeError

GZIP_MAGIC = b"\x1f\x8b"
_HEADER_LENGTHS = {n.to_bytes(4, "little") for n in (348, 540)} | {
    n.to_bytes(4, "big") for n in (348, 540)
}
_OURS = (".nii", ".mgh", ".mgz", ".hdr", ".img")
_CIFTI = re.compile(r"\.[dp][a-z]+\.nii(\.gz)?$")
_FOREIGN = {
    ".head": "an AFNI dataset; convert it first to .nii.gz (3dAFNItoNIFTI)",
    ".brik": "an AFNI dataset; convert it first to .nii.gz (3dAFNItoNIFTI)",
    ".mnc": "a MINC file; convert it first to .nii.gz (mnc2nii)",
    ".dcm": "a DICOM file; convert it first to .nii.gz (dcm2niix)",
    ".ima": "a DICOM file; convert it first to .nii.gz (dcm2niix)",
    ".gii": "a GIFTI surface, not a volume; give a volume of the same subject",
    ".nrrd": "an NRRD file; convert it first to .nii.gz (3D Slicer, ITK-SNAP)",
    ".mha": "a MetaImage file; convert it first to .nii.gz (3D Slicer, ITK-SNAP)",
}


@dataclass(frozen=True)
class VolumeFile:
    """Where header and voxels are: one and the same file, except for .hdr/.img pairs."""

    header: Path
    voxels: Path
    suffix: str  # ".nii", ".mgh" or ".hdr"; never with ".gz"

    @property
    def name(self) -> str:
        """The file's name, without folders."""
        return self.header.name


def is_gzip(path: Path) -> bool:
    """Return whether the name says that the content is gzip-compressed."""
    return path.name.lower().endswith((".gz", ".mgz"))


def stem_of(name: str) -> str:
    """Return a name without the extensions of a volume: "sub-01_bold.nii.gz", "sub-01_bold"."""
    bare = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    return re.sub(r"\.(nii|mgh|mgz|hdr|img)$", "", bare, flags=re.IGNORECASE) or name


def locate(path: str | Path) -> VolumeFile:
    """Return the files behind `path` after checking that they can be a volume at all.

    Raises
    ------
    VolumeError
        When one is missing or empty, of another format, or something else under a volume's name.
    """
    given = Path(path)
    _check_present(given)
    suffix = _suffix(given)
    if suffix in (".hdr", ".img"):
        found = VolumeFile(_half(given, ".hdr"), _half(given, ".img"), ".hdr")
        _check_content(found.header)
    else:
        found = VolumeFile(given, given, ".mgh" if suffix == ".mgz" else suffix)
    _check_content(found.voxels)
    return found


def _check_present(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        if "annex/objects" in path.readlink().as_posix():
            raise VolumeError(f"{path.name}: content not present; run `datalad get {path.name}`")
        raise VolumeError(f"{path.name} is a link to a file that does not exist; repair the link")
    if not path.exists():
        raise VolumeError(f"there is no file {path.name!r}; check the path")
    if not path.is_file():
        raise VolumeError(f"{path.name} is a folder or a device; give a volume file")
    if path.stat().st_size == 0:
        raise VolumeError(f"{path.name} is empty (0 bytes); fetch it again")


def _suffix(path: Path) -> str:
    """Return the volume extension of a name, or refuse formats that are not read."""
    name = path.name.lower()
    if _CIFTI.search(name):
        raise VolumeError(
            f"{path.name} is a surface/greyordinate file (CIFTI), not a volume; give a volume"
        )
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix in _OURS:
        return suffix
    kind = suffix or "no extension"
    what = _FOREIGN.get(suffix, f"of an unknown kind ({kind}); convert it first to .nii.gz")
    raise VolumeError(f"{path.name} is {what}. Read are NIfTI, MGH/MGZ and Analyze")


def _half(path: Path, wanted: str) -> Path:
    """Return the .hdr or .img half of a pair; both must be there."""
    name = re.sub(r"\.(hdr|img)(\.gz)?$", rf"{wanted}\2", path.name, flags=re.IGNORECASE)
    half = path if name.lower() == path.name.lower() else path.with_name(name)
    if not half.exists() and not half.is_symlink():
        raise VolumeError(
            f"{path.name}: its other half {half.name} is missing; put both into one folder"
        )
    _check_present(half)
    return half


def _check_content(path: Path) -> None:
    """Refuse files whose first bytes belong to something else than the name says."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise VolumeError(f"{path.name} cannot be read: {error.strerror or error}") from error
    stand_in = _stand_in(start)
    if stand_in:
        raise VolumeError(f"{path.name}: {stand_in}")
    compressed = start.startswith(GZIP_MAGIC)
    if is_gzip(path) and not compressed:
        if start[:4] in _HEADER_LENGTHS:
            raise VolumeError(
                f"{path.name} is an uncompressed NIfTI with the wrong name; rename it without .gz"
            )
        raise VolumeError(
            f"{path.name} is no gzip file (it starts with {start[:4]!r}); fetch it again"
        )
    if compressed and not is_gzip(path):
        raise VolumeError(
            f"{path.name} is gzip-compressed under the wrong name; rename it to {path.name}.gz"
        )


def _stand_in(start: bytes) -> str:
    """Say what the file is when it begins like something that often stands in for a volume."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        return "this is a web page, not a volume; download the file itself (log in if need be)"
    if text.startswith(b"<?xml"):
        return "this is an XML file (a surface or metadata); give a volume"
    if text.startswith(b"version https://git-lfs"):
        return "this is a git-LFS pointer, not the volume itself; run `git lfs pull`"
    if text.startswith((b"/annex/objects/", b"../.git/annex/objects/")):
        return "content not present (a git-annex pointer); run `datalad get` on it"
    return ""
