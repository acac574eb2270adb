"""Files appear complete or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from g3dvit_napari.core.errors import VolumeError


@contextmanager
def replacing(*targets: Path) -> Iterator[list[Path]]:
    """Yield temporary paths to write to; on success they replace the targets, in order.

    Existing targets are replaced. The last one is the commit mark: it is removed before the
    first rename, so a crash in between leaves no mark on a mixture of old and new.

    Raises
    ------
    VolumeError
        When a file cannot be written; nothing half-written stays.
    """
    token = secrets.token_hex(4)
    # The target's whole name comes last: image writers choose the format by the extension.
    temporary = [path.with_name(f".part-{token}-{path.name}") for path in targets]
    try:
        yield temporary
        for path in temporary:
            _flush(path)
        if len(targets) > 1:
            targets[-1].unlink(missing_ok=True)
        for path, target in zip(temporary, targets, strict=True):
            path.replace(target)
    except OSError as error:
        names = ", ".join(path.name for path in targets)
        raise VolumeError(
            f"could not write {names}: {error.strerror or error}; nothing was changed half-way"
        ) from error
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Make sure that the content has reached the disk before the name does."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
