"""What the page of places has done for it outside the GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g3dvit_napari.core.atlas import Atlas
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.lane import Report

MOST_CLUSTERS = 300


@dataclass(frozen=True, eq=False)
class Survey:
    """The tables of one map, and the regions on its own grid."""

    explanation: Explanation
    clusters: Any
    regions: Any | None = None
    atlas: Atlas | None = None


def survey(explanation: Explanation, atlas: Atlas | None, report: Report) -> Survey:
    """Make both tables of a map, and sort its values, so that the mouse need not wait for it."""
    report(0.0, "finding the peaks")
    count = jobs.facade().summaries
    explanation.scaled.rank(0.0)
    placed = None if atlas is None else atlas.on(explanation.relevance)
    report(0.3, "finding the peaks")
    clusters = count.clusters_of(explanation, placed, most=MOST_CLUSTERS)
    report(0.6, "summing up regions")
    regions = None if placed is None else count.region_shares(explanation, placed)
    return Survey(explanation, clusters, regions, placed)


def read_atlas(path: str, report: Report) -> Atlas:
    """Read an image of labels."""
    report(0.1, f"reading {Path(path).name}")
    atlas: Atlas = jobs.facade().load_atlas(path)
    return atlas


def save_table(
    path: str, header: Sequence[str], rows: Sequence[Sequence[object]], report: Report
) -> Path:
    """Write a table as tab-separated values."""
    report(0.1, f"writing {Path(path).name}")
    written: Path = jobs.facade().save_table(path, header, rows)
    return written
