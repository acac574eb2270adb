"""A table on its way to a file: the same rows as Markdown for people and as CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from g3dvit_napari.io.atomic import replacing

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    name
        Of its files.

    Notes
    -----
        Sentences below it: what the reader must know.
    shown
        How many rows stand in the Markdown; the CSV has all. None: all.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    shown: int | None = None

    def markdown(self, level: int = 2) -> str:
        """Return the table with its title and notes."""
        rows = self.rows if self.shown is None else self.rows[: self.shown]
        numeric = [
            all(isinstance(row[i], int | float | None) for row in rows)
            for i in range(len(self.columns))
        ]
        lines = [
            f"{'#' * level} {self.title}",
            "",
            _line(self.columns),
            _line(["--:" if number else ":--" for number in numeric]),
            *(_line([_words(cell) for cell in row]) for row in rows),
            "",
        ]
        if len(rows) < len(self.rows):
            lines += [f"{len(rows)} of {len(self.rows)} rows; all are in `{self.name}.csv`.", ""]
        lines += [line for note in self.notes for line in (note, "")]
        return "\n".join(lines)

    def csv(self) -> str:
        """Return the table as CSV; empty where there is no number."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_plain(cell) for cell in row] for row in self.rows)
        return text.getvalue()


def write(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write every table as NAME.csv and NAME.md, and return the files.

    Raises
    ------
    VolumeError
        When a file cannot be written.
    """
    files = []
    for table in tables:
        for kind, text in (("csv", table.csv()), ("md", table.markdown(1))):
            path = folder / f"{table.name}.{kind}"
            write_text(path, text)
            files.append(path)
    return files


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as (part,):
        part.write_text(text, encoding="utf-8")


def figure(value: float | None, digits: int = 2) -> str:
    """Return a number to read: two decimals, or two significant digits where it is small."""
    if value is None or not isfinite(value):
        return "\N{EN DASH}"
    if abs(value) < 5e-4:
        return f"{0:.{digits}f}"
    if abs(value) >= 100:
        return f"{value:.1f}"
    if value == 0 or round(abs(value), digits) >= 10 ** (1 - digits):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}g}"


def p_value(p: float) -> str:
    """Return a p value as it is printed."""
    if not isfinite(p):
        return "\N{EN DASH}"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _words(cell: Cell) -> str:
    if isinstance(cell, float) or cell is None:
        return figure(cell, 3)
    return str(cell)


def _plain(cell: Cell) -> Cell:
    if isinstance(cell, float):
        return float(f"{cell:.6g}") if isfinite(cell) else ""
    return "" if cell is None else cell
