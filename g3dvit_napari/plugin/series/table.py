"""The time course as a table of tab-separated values."""

from __future__ import annotations

import csv
from pathlib import Path

from g3dvit_napari.io.atomic import replacing
from g3dvit_napari.plugin.lane import Report
from g3dvit_napari.plugin.series.course import Course

Row = list[str]


def rows_of(course: Course, seconds: float | None) -> list[Row]:
    """Return a heading and a row per known frame; "n/a" stands for what is not known, as in BIDS.

    Parameters
    ----------
    course
        The frames.
    seconds
        Between two frames; None where the repetition time is not known.
    """
    regions = list(course.shares)
    head = ["frame", "seconds", "class", "predicted"]
    head += [f"p {name}" for name in course.names] + [f"logit {name}" for name in course.names]
    head += [f"share {region.name}" for region in regions] + ["raw_at_0", "raw_at_1", "status"]
    rows = [head]
    for number in course.numbers:
        kept = course.frames[number]
        said, names = kept.prediction, course.names
        row = [str(number), "n/a" if seconds is None else f"{number * seconds:g}"]
        row += [names[kept.target], names[said.predicted]]
        row += [_written(p) for p in (*said.probabilities, *said.logits)]
        row += [_written(course.shares[region].get(number)) for region in regions]
        rows.append([*row, *map(_written, kept.limits), kept.status])
    return rows


def write_table(rows: list[Row], path: str, report: Report) -> Path:
    """Write rows; the file appears complete or not at all."""
    report(0.1, "writing")
    target = Path(path)
    with replacing(target) as (temporary,), temporary.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f, delimiter="\t", lineterminator="\n").writerows(rows)
    return target


def _written(value: float | None) -> str:
    return "n/a" if value is None or value != value else f"{value:.7g}"
