"""Tables written as tab-separated values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from g3dvit_napari.io.atomic import replacing


def to_tsv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as text: n/a for what is not known, as BIDS has it."""
    return "".join("\t".join(map(_cell, line)) + "\n" for line in (header, *rows))


def save_table(path: str | Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """Write a table; the file appears complete or not at all.

    Raises
    ------
    VolumeError
        When it cannot be written.
    """
    path = Path(path)
    with replacing(path) as (temporary,):
        temporary.write_text(to_tsv(header, rows), encoding="utf-8")
    return path


def _cell(value: object) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(str(value).split())
