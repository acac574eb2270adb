"""Lists of volumes: those of a folder, of a BIDS dataset, or of a table.

Only names are looked at here; whether a file is a volume shows when it is read.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.volume_file import stem_of

Kind = Literal["folder", "bids", "table"]
ENDINGS = (".nii", ".nii.gz", ".mgz", ".mgh")
DESCRIPTION = "dataset_description.json"
_WEIGHTINGS = ("T1w", "T2w", "T2star", "FLAIR", "PDw", "inplaneT1", "inplaneT2", "UNIT1")
_SUFFIXES = frozenset((*_WEIGHTINGS, "T1map", "T2map", "bold", "cbv", "sbref"))
_OURS = ("_statmap", "_mask", "_dseg", "_probseg")  # maps and masks beside the volumes
_PATH_COLUMNS = ("path", "file")
_NAMED = 3  # of many missing files, so many are named
EMPTY = "n/a"  # an empty cell, as BIDS writes it


@dataclass(frozen=True)
class Subject:
    """One volume of a list.

    key
        Its path from the list's folder on, with forward slashes; ratings are kept by it.
    label
        The true class, by name or number; empty where it is not known.
    name
        What it is called in the list.
    """

    path: Path
    key: str
    participant: str
    session: str = ""
    label: str = ""
    name: str = ""


@dataclass(frozen=True)
class SubjectList:
    """What was found, and where the ratings of it belong."""

    place: Path
    kind: Kind
    subjects: tuple[Subject, ...]
    ratings: Path
    remark: str = ""


def find_subjects(place: str | Path, kind: Kind | None = None) -> SubjectList:
    """Return the volumes of a folder, a BIDS dataset or a table; by default judged by the place.

    Raises
    ------
    VolumeError
        When nothing is there, or no volume is in it.
    """
    place = Path(place).absolute()
    if not place.exists():
        raise VolumeError(f"there is no {place.name!r} at this path; choose another list")
    if place.is_file():
        return _of_table(place)
    if kind == "bids" or (kind is None and (place / DESCRIPTION).is_file()):
        return _of_bids(place)
    return _of_folder(place)


def _of_folder(folder: Path) -> SubjectList:
    found = [path for path in _natural(folder.iterdir()) if _is_volume(path)]
    if not found:
        raise VolumeError(
            f"the folder {folder.name!r} holds no volume ({', '.join(ENDINGS)}); folders in it are "
            "not searched: open one of those, a BIDS dataset, or a table with a column 'path'"
        )
    subjects = [_subject(path, folder) for path in found]
    return SubjectList(folder, "folder", _named(subjects), folder / "g3dvit_ratings.tsv")


def _of_bids(root: Path) -> SubjectList:
    if not (root / DESCRIPTION).is_file():
        raise VolumeError(
            f"{root.name!r} has no {DESCRIPTION}, so it is no BIDS dataset; open its top folder, "
            "or open it as a folder"
        )
    found = [
        path
        for session in ("sub-*", "sub-*/ses-*")
        for part in ("anat", "func")
        for path in root.glob(f"{session}/{part}/*")
        if _is_volume(path) and stem_of(path.name).rsplit("_", 1)[-1] in _SUFFIXES
    ]
    if not found:
        raise VolumeError(
            f"the BIDS dataset {root.name!r} holds no image in sub-*/anat or sub-*/func "
            f"({', '.join(sorted(_SUFFIXES))}); derivatives are datasets of their own: open those"
        )
    subjects = [_subject(path, root) for path in _natural(found)]
    ratings = root / "derivatives" / "g3dvit-qa" / "ratings.tsv"
    return SubjectList(root, "bids", _named(subjects), ratings)


def _of_table(table: Path) -> SubjectList:
    rows = _rows(table)
    subjects: dict[str, Subject] = {}
    for row in rows:
        given = next((row[name] for name in _PATH_COLUMNS if row.get(name)), "")
        if not given:
            continue
        path = Path(os.path.normpath(table.parent / given))
        found = _subject(path, table.parent)
        found = replace(
            found,
            participant=row.get("participant_id") or found.participant,
            session=row.get("session") or found.session,
            label=row.get("label", ""),
        )
        subjects.setdefault(found.key, found)
    if not subjects:
        raise VolumeError(f"{table.name} names no file; add rows with a path each")
    missing = [found.key for found in subjects.values() if not found.path.is_file()]
    if len(missing) == len(subjects):
        raise VolumeError(
            f"none of the {len(missing)} files that {table.name} names is there: "
            f"{_some(missing)}; paths count from the table's own folder"
        )
    remark = f"{len(missing)} of the files named are not there: {_some(missing)}" if missing else ""
    ratings = table.with_name(f"{table.stem}_ratings.tsv")
    return SubjectList(table, "table", _named(list(subjects.values())), ratings, remark)


def _rows(table: Path) -> list[dict[str, str]]:
    """Return the rows of a table of volumes, by column names in small letters."""
    columns, rows = read_table(table)
    names = [name.lower() for name in columns]
    if not set(_PATH_COLUMNS) & set(names):
        raise VolumeError(
            f"{table.name} has no column 'path' or 'file', but {', '.join(columns) or 'none'}; "
            "name the column of the volumes so, and separate columns by tabs"
        )
    return [{n: "" if v == EMPTY else v for n, v in zip(names, row, strict=True)} for row in rows]


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of a TSV file; every row is as long as the first.

    Raises
    ------
    VolumeError
        When the file cannot be read, or is no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise VolumeError(f"{path.name} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise VolumeError(f"{path.name} is no text in UTF-8; save it as a TSV file") from error
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    except csv.Error as error:
        raise VolumeError(f"{path.name} is no table: {error}; save it as a TSV file") from error
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    if not lines:
        return [], []
    columns = [name.strip() for name in lines[0]]
    width = len(columns)
    return columns, [(line + [""] * width)[:width] for line in lines[1:]]


def _is_volume(path: Path) -> bool:
    name = path.name
    plain = not name.startswith(".") and name.lower().endswith(ENDINGS)
    # A link to content that is not there belongs into the list: reading says how to fetch it.
    return plain and not stem_of(name).endswith(_OURS) and not path.is_dir()


def _subject(path: Path, root: Path) -> Subject:
    entities = dict(re.findall(r"(?:^|_)(sub|ses)-([A-Za-z0-9]+)", path.name))
    participant = f"sub-{entities['sub']}" if "sub" in entities else stem_of(path.name)
    session = f"ses-{entities['ses']}" if "ses" in entities else ""
    return Subject(path, _relative(path, root), participant, session)


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def _named(subjects: Sequence[Subject]) -> tuple[Subject, ...]:
    """Name subjects as short as they can be told apart: by participant, session, then file."""
    plain = [" ".join(filter(None, (s.participant, s.session))) for s in subjects]
    counts = Counter(plain)
    return tuple(
        replace(s, name=name if counts[name] == 1 else f"{name} {_rest(s)}")
        for s, name in zip(subjects, plain, strict=True)
    )


def _rest(subject: Subject) -> str:
    """Return what a file name says beyond participant and session."""
    known = (subject.participant, subject.session)
    parts = stem_of(subject.path.name).split("_")
    return "_".join(part for part in parts if part not in known) or subject.path.name


def _natural(paths: Iterable[Path]) -> list[Path]:
    """Sort as people count: sub-2 before sub-10."""

    def key(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", path.as_posix().lower())
        return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]

    return sorted(paths, key=key)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
