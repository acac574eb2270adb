"""The file of records: only ever added to, by whole lines, and forgiving about a broken end."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from g3dvit_napari.benchmark.records.record import Facts, Key, Line, Record, line_of, record_of
from g3dvit_napari.core.errors import VolumeError


@dataclass(frozen=True)
class Found:
    """All that a file of records says.

    records, facts
        The last of each key.
    broken
        How many lines could not be read, such as the last one of a run that was killed.
    """

    records: tuple[Record, ...] = ()
    facts: tuple[Facts, ...] = ()
    broken: int = 0


class Store:
    """A file of JSON lines that survives whatever stops a run.

    Lines are appended whole, in one write. A run that is killed in the middle of one leaves a
    broken last line: reading skips it, and the next line begins on its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Found:
        """Return what is there; nothing where there is no file.

        Raises
        ------
        VolumeError
            When the file cannot be read.
        """
        try:
            text = self.path.read_bytes().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return Found()
        except OSError as error:
            raise VolumeError(f"could not read {self.path}: {error.strerror or error}") from error
        found: dict[tuple[type, Key], Line] = {}
        broken = 0
        for line in filter(None, text.split("\n")):
            try:
                record = record_of(line)
            except ValueError:
                broken += 1
                continue
            found[type(record), record.key] = record
        return Found(
            tuple(record for record in found.values() if isinstance(record, Record)),
            tuple(record for record in found.values() if isinstance(record, Facts)),
            broken,
        )

    def append(self, records: Iterable[Line]) -> None:
        """Add records at the end.

        Raises
        ------
        VolumeError
            When they cannot be written.
        """
        text = "".join(f"{line_of(record)}\n" for record in records)
        if not text:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                start = "" if _ends_whole(file.fileno()) else "\n"
                file.write((start + text).encode("utf-8"))
        except OSError as error:
            raise VolumeError(f"could not write {self.path}: {error.strerror or error}") from error


def _ends_whole(number: int) -> bool:
    """Return whether an open file is empty or ends with the end of a line."""
    size = os.fstat(number).st_size
    if size == 0:
        return True
    os.lseek(number, size - 1, os.SEEK_SET)
    return os.read(number, 1) == b"\n"
