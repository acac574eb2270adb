"""Tell what a file is from its first bytes, before any loader touches it."""

from __future__ import annotations

import re
import struct
import tarfile
import zipfile
from pathlib import Path

from g3dvit_napari.core.errors import CheckpointError
from g3dvit_napari.io.state_dict import RESAVE

_GIB = 1 << 30
_LARGEST = 64 * _GIB
_PICKLED_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")  # torch before 1.6
_FOREIGN = (
    (b"version https://git-lfs", "a git-LFS pointer, not the file itself; run: git lfs pull"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first (gunzip, or tar -xzf)"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes; only PyTorch weights can be read"),
    (b"\x93NUMPY", "a NumPy array; only PyTorch weights can be read"),
    (b"\x5c\x01\x00\x00", "a NIfTI volume; open it as the volume, not as the checkpoint"),
    (b"7z\xbc\xaf'\x1c", "a 7-Zip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
)


def sniff(path: Path) -> str:
    """Return "zip", "pickle" or "safetensors", or say what the file is instead."""
    _check_present(path)
    with path.open("rb") as file:
        head = file.read(512)
    if path.name.lower().endswith((".nii.gz", ".nii", ".mgz", ".mgh")):
        raise CheckpointError(f"{path.name} is a scan; open it as the volume instead")
    for start, text in _FOREIGN:
        if head.startswith(start):
            raise CheckpointError(f"{path.name} is {text}")
    if head.startswith(b"PK\x03\x04"):
        _check_zip(path)
        return "zip"
    if head.startswith(_PICKLED_MAGIC):
        return "pickle"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100 << 20:
        return "safetensors"
    if tarfile.is_tarfile(path):
        raise CheckpointError(f"{path.name} is a tar archive; unpack it first, or {RESAVE}")
    raise CheckpointError(f"{path.name} is no checkpoint: it {_starts_with(head)}")


def _check_present(path: Path) -> None:
    if path.is_dir():
        raise CheckpointError(
            f"{path.name} is a folder; choose the weights file in it (.pt, .pth, .ckpt, "
            ".safetensors), or merge a sharded checkpoint into one file first"
        )
    if not path.is_file():
        raise CheckpointError(f"there is no file {path.name!r}; check the path")
    size = path.stat().st_size
    if size == 0:
        raise CheckpointError(f"{path.name} is empty (0 bytes); copy or download it again")
    if size > _LARGEST:
        raise CheckpointError(f"{path.name} has {size / _GIB:.0f} GiB; the limit is 64 GiB")


def _starts_with(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if re.match(rb"<(!doctype|html|\?xml|head|body)", text, re.IGNORECASE):
        return "is a web page, as a failed download leaves; download the file itself"
    if head[:1] == b"\x80":
        return f"is a plain Python pickle, which can run code when it is opened; {RESAVE}"
    if text and all(32 <= byte < 127 or byte in b"\r\n\t" for byte in text[:64]):
        first = text.decode("ascii", errors="replace").splitlines()[0][:50]
        return f"is a text file that starts with {first!r}; choose .pt, .pth, .ckpt or .safetensors"
    return f"starts with bytes {head[:8].hex(' ')}; choose a .pt, .pth, .ckpt or .safetensors file"


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, struct.error, ValueError, RuntimeError, LookupError) as error:
        raise CheckpointError(
            f"{path.name} is cut off or damaged ({path.stat().st_size:,} bytes): its table of "
            "contents cannot be read; copy or download it again"
        ) from error
    names = [entry.filename for entry in entries]
    if any(name.endswith(("/constants.pkl", "/archive_format")) for name in names):
        raise CheckpointError(
            f"{path.name} is a compiled program (TorchScript or torch.export), not "
            f"weights; {RESAVE}"
        )
    if not any(name.endswith("/data.pkl") for name in names):
        inside = ", ".join(names[:3])
        raise CheckpointError(f"{path.name} is a zip archive with {inside}, not a checkpoint")
    declared = sum(entry.file_size for entry in entries)
    if declared > 16 * path.stat().st_size:
        raise CheckpointError(
            f"{path.name} would unpack to {declared / _GIB:.1f} GiB from "
            f"{path.stat().st_size / _GIB:.3f} GiB, which no checkpoint does; do not trust it"
        )
