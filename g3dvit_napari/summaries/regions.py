"""How the relevance of a map is spread over the regions of an image of labels.

All is counted inside the field of view, on the voxels of the explained volume, over the map before
its cut; of signed maps sizes count. Raw sums would only rank regions by size, so each share of the
map stands beside the share of the volume: their ratio is the enrichment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.atlas import Atlas
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.summaries.places import Place, place_of

OUTSIDE_LABELS, OUTSIDE_HEAD = "outside every region", "outside the head"
Counts = NDArray[Any]


@dataclass(frozen=True)
class Region:
    """One row of the table; None where a number would mean nothing.

    label
        Its number in the image; None for what lies outside the head.
    share
        Of the map's sum over the field of view.
    enrichment
        `share`, divided by the region's share of the field of view: 1 is chance.
    share_of_shown
        Of the voxels at or above the cut. With the strongest 5 % kept: its share of the top 5 %.
    inside_view
        The fraction of the region that the network sees.
    n_cells
        How many cells of the map touch the region.
    effective_cells
        How many cells of equal parts the region would be made of.
    small
        Whether the region is smaller than one cell: the map cannot tell it from its surroundings.
    mean
        Of the scaled map, signed.
    peak
        Its strongest place.
    """

    label: int | None
    name: str
    volume_ml: float
    share: float | None
    enrichment: float | None
    share_of_shown: float | None
    inside_view: float | None
    n_cells: int
    effective_cells: float
    small: bool
    mean: float | None
    peak: Place | None


@dataclass(frozen=True)
class Regions:
    """The table; `sentence` says what is doubtful about it, and why it is empty."""

    rows: tuple[Region, ...] = ()
    sentence: str = ""


class _Sums(NamedTuple):
    """What is counted per region; the voxels of a region lie together in no order."""

    voxels: Counts  # in the whole volume
    seen: Counts  # in the field of view
    size: Counts  # sum of absolute values
    value: Counts  # sum of values
    shown: Counts  # voxels at or above the cut
    peak: Counts  # flat index of the strongest voxel, -1: none
    cells: Counts
    effective: Counts


def region_shares(explanation: Explanation, atlas: Atlas) -> Regions:
    """Sum up a map by the regions of an atlas, whatever grid that is on.

    The two last rows are what lies outside every region, and what lies outside the head.
    """
    if explanation.status != "ok":
        return Regions(sentence=explanation.message)
    placed = atlas.on(explanation.relevance)
    labels, codes = np.unique(placed.labels.data, return_inverse=True)
    sums = _sums(explanation, codes.ravel(), len(labels))
    whole = _sums(explanation, np.zeros(codes.size, np.intp), 1)
    air = _sums(explanation, np.where(explanation.scaled.head, 1, 0).ravel(), 2)
    rows = [
        _row(explanation, placed, (int(label), placed.name_of(int(label))), (sums, number, whole))
        for number, label in enumerate(labels)
        if label
    ]
    if 0 in labels:
        outside = int(np.searchsorted(labels, 0))
        rows.append(_row(explanation, placed, (0, OUTSIDE_LABELS), (sums, outside, whole)))
    rows.append(_row(explanation, placed, (None, OUTSIDE_HEAD), (air, 0, whole)))
    return Regions(tuple(rows), _sentence(placed, labels, explanation))


def _sums(explanation: Explanation, codes: Counts, count: int) -> _Sums:
    values = explanation.scaled.voxels.ravel()
    seen = np.flatnonzero((explanation.field_of_view.data.ravel() > 0) & np.isfinite(values))
    code, value = codes[seen], values[seen].astype(np.float64)
    size = np.abs(value)
    shown = (value if not explanation.signed else size) >= (explanation.cut or 0.0)
    if not explanation.cut:
        shown &= size > 0
    order = np.argsort(size, kind="stable")
    peak = np.full(count, -1)
    peak[code[order]] = seen[order]  # of several assignments the last one stays: the strongest
    cell = explanation.scaled.cell_numbers.ravel()[seen]
    return _Sums(
        np.bincount(codes, minlength=count),
        np.bincount(code, minlength=count),
        np.bincount(code, size, count),
        np.bincount(code, value, count),
        np.bincount(code, shown, count),
        peak,
        *_cells_of(code, cell, count),
    )


def _cells_of(code: Counts, cell: Counts, count: int) -> tuple[Counts, Counts]:
    """Return how many cells touch each region, and how many equal ones would do so."""
    pairs, voxels = np.unique(cell * count + code, return_counts=True)
    region = pairs % count
    touching = np.bincount(region, minlength=count)
    total, squares = np.bincount(region, voxels, count), np.bincount(region, voxels**2.0, count)
    return touching, total**2 / np.maximum(squares, 1)


def _row(
    explanation: Explanation,
    placed: Atlas,
    known: tuple[int | None, str],
    counted: tuple[_Sums, int, _Sums],
) -> Region:
    sums, at, whole = counted
    spacing = explanation.relevance.affine[:3, :3]
    voxel_ml = abs(float(np.linalg.det(spacing))) / 1000
    cell_ml = abs(float(np.linalg.det(explanation.patch_map.affine[:3, :3]))) / 1000
    seen, volume_ml = sums.seen[at], float(sums.voxels[at] * voxel_ml)
    share = _ratio(sums.size[at], whole.size[0]) if seen else None
    peak = None
    if sums.peak[at] >= 0:
        index = np.array(np.unravel_index(sums.peak[at], explanation.relevance.shape))
        peak = place_of(explanation, placed, index)
    return Region(
        label=known[0],
        name=known[1],
        volume_ml=volume_ml,
        share=share,
        enrichment=None if share is None else _ratio(share, seen / whole.seen[0]),
        share_of_shown=_ratio(sums.shown[at], whole.shown[0]) if seen else None,
        inside_view=_ratio(seen, sums.voxels[at]),
        n_cells=int(sums.cells[at]),
        effective_cells=float(sums.effective[at]),
        small=volume_ml < cell_ml * (1 - 1e-6),
        mean=_ratio(sums.value[at], seen),
        peak=peak,
    )


def _ratio(part: float, of: float) -> float | None:
    return float(part / of) if of > 0 else None


def _sentence(placed: Atlas, labels: Counts, explanation: Explanation) -> str:
    remarks = list(placed.remarks)
    if not labels.any():
        remarks.insert(0, f"{placed.labels.name} has no region where this volume is.")
    source = explanation.relevance.source
    if source is not None and source.affine_source == "assumed":
        remarks.append("The volume's place in the world is assumed: left and right may be swapped.")
    return " ".join(remarks)
