"""Ratings of subjects in a TSV file that several people, and other programs, may write to.

The file is read again before each change. Rows are told apart by `path`; of two versions of a row
the newer one stays. Columns and rows of others are kept as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.atomic import replacing
from g3dvit_napari.io.subjects import DESCRIPTION, EMPTY, read_table

RATINGS = ("pass", "unsure", "fail")
COLUMNS = (
    "participant_id", "session", "path", "rating", "note", "rater", "date",
    "model", "method", "predicted", "p", "status",
)  # fmt: skip
Row = dict[str, str]
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_NEVER = datetime.min.replace(tzinfo=UTC)
_TICK = timedelta(milliseconds=1)


def now(after: str = "") -> str:
    """Return the time as ratings carry it; later than `after`, whatever clock that came from."""
    time = max(datetime.now(UTC), _moment(after).astimezone(UTC) + _TICK)
    return time.isoformat(timespec="milliseconds")


def read_ratings(path: Path) -> dict[str, Row]:
    """Return the rows of a file of ratings by path; none where there is no file.

    Raises
    ------
    VolumeError
        When the file cannot be read, or has no column `path`.
    """
    return _read(path).by_path()


def merge_ratings(path: Path, changes: Mapping[str, Row]) -> dict[str, Row]:
    """Bring changed rows into a file, where it holds no newer ones, and return all its rows.

    Raises
    ------
    VolumeError
        When the file is none of ratings, or cannot be written; it is then as it was.
    """
    table = _read(path)
    known = table.by_path()
    for key, change in changes.items():
        row = known.get(key)
        if row is None:
            table.rows.append(dict(change))
        elif _date(row) <= _date(change):
            row.update(change)
    _write(path, table)
    return table.by_path()


@dataclass
class _Table:
    columns: list[str] = field(default_factory=lambda: list(COLUMNS))
    rows: list[Row] = field(default_factory=list)

    def by_path(self) -> dict[str, Row]:
        """Return the rows by path; of several the newest."""
        return {row["path"]: row for row in sorted(self.rows, key=_date) if row["path"]}


def _read(path: Path) -> _Table:
    if not _is_there(path):
        return _Table()
    columns, lines = read_table(path)
    if not columns:
        return _Table()
    if "path" not in columns or "rating" not in columns:
        raise VolumeError(
            f"{path.name} is no file of ratings: it has the columns {', '.join(columns)}; "
            "move it away, or save the ratings elsewhere"
        )
    rows = [dict(zip(columns, line, strict=True)) for line in lines]
    for row in rows:
        row.update({name: "" for name in COLUMNS if row.get(name) == EMPTY})
    return _Table(columns + [name for name in COLUMNS if name not in columns], rows)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a folder that may not be looked into
        raise VolumeError(f"{path.name} cannot be read: {error.strerror or error}") from error


def _write(path: Path, table: _Table) -> None:
    lines = [table.columns]
    lines += [[_cell(row.get(name, ""), name) for name in table.columns] for row in table.rows]
    text = "".join("\t".join(line) + "\n" for line in lines)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VolumeError(
            f"cannot make the folder {path.parent.name!r}: {error.strerror or error}; "
            "save the ratings elsewhere"
        ) from error
    with replacing(path) as (temporary,):
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _cell(value: str, name: str) -> str:
    """Return a value that cannot break its row; empty ones of ours as BIDS writes them."""
    safe = _CONTROL.sub(" ", value).strip()
    return safe or (EMPTY if name in COLUMNS else "")


def _date(row: Row) -> datetime:
    return _moment(row.get("date", ""))


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return _NEVER
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def describe_derivative(folder: Path) -> None:
    """Write the description that BIDS wants in a folder of derivatives, where there is none."""
    path = folder / DESCRIPTION
    if _is_there(path):
        return
    ours = {"Name": "g3dvit-napari", "Version": version("g3dvit-napari")}
    facts = {
        "Name": "Ratings of explanations",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [ours],
    }
    with replacing(path) as (temporary,):
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
