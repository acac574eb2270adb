"""Bytes of a plain or gzip-compressed file, read forwards, with file trouble told in our words."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.volume_file import is_gzip

BLOCK = 1 << 20


class Stream:
    """A file that is read forwards; a compressed one stays open, so no byte is unpacked twice."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file, self._position = path, file, 0

    def skip_to(self, position: int) -> None:
        """Move forwards to `position` (in unpacked bytes)."""
        if position < self._position:
            raise ValueError("a stream cannot go back")
        if not is_gzip(self._path):
            self._position = self._file.seek(position)
        while self._position < position:
            if not self.read(min(BLOCK, position - self._position)):
                break

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer only at the end of the file."""
        try:
            block = self._file.read(count)
        except EOFError as error:
            raise VolumeError(
                f"{self._path.name} is truncated: its gzip stream ends early; fetch it again"
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise VolumeError(_corrupt(self._path, error)) from error
        except OSError as error:
            reason = error.strerror or error
            raise VolumeError(f"{self._path.name} cannot be read: {reason}") from error
        self._position += len(block)
        return block


@contextmanager
def open_stream(path: Path) -> Iterator[Stream]:
    """Open a file for reading forwards, unpacking it when its name says so."""
    try:
        file = gzip.GzipFile(path, "rb") if is_gzip(path) else path.open("rb")
    except OSError as error:
        raise VolumeError(f"{path.name} cannot be read: {error.strerror or error}") from error
    with file:
        yield Stream(path, cast(BinaryIO, file))


@dataclass(frozen=True)
class Contents:
    """What one pass over a whole file tells: its fingerprint and its unpacked size in bytes."""

    sha256: str
    size: int


def examine(path: Path, limit: int) -> Contents:
    """Return fingerprint and size of a file; a gzip checksum is verified, once per file state.

    Raises
    ------
    VolumeError
        When the stream is damaged, or unpacks to more than `limit` bytes.
    """
    state = path.stat()
    return _examined(path.resolve(), state.st_size, state.st_mtime_ns, limit)


@lru_cache(maxsize=4096)
def _examined(path: Path, size: int, mtime_ns: int, limit: int) -> Contents:  # noqa: ARG001
    if is_gzip(path):
        size = verified_size(path, limit)
    with path.open("rb") as file:
        return Contents(hashlib.file_digest(file, "sha256").hexdigest(), size)


def verified_size(path: Path, limit: int) -> int:
    """Unpack a gzip file to the end of its stream, where the checksum is compared."""
    size = 0
    with open_stream(path) as stream:
        while block := stream.read(BLOCK):
            size += len(block)
            if size > limit:
                raise VolumeError(
                    f"{path.name} unpacks to more than {limit:,} bytes, far more than its header "
                    "describes: not read; check the header"
                )
    return size


def _corrupt(path: Path, error: Exception) -> str:
    if "CRC" in str(error) or "length" in str(error):
        return f"{path.name}: checksum mismatch: the file is corrupt; fetch it again"
    return f"{path.name}: unpacking gzip failed ({error}): the file is corrupt; fetch it again"
