"""Peaks and clusters of what is shown of a map, by nilearn's conventions.

Voxels that share a face belong together; a cluster has its strongest peak and at most three more,
far enough from it and from each other; clusters for the class come first, then those against it,
the strongest first. Other than nilearn's: a voxel exactly at the cut counts, because it is shown,
and the numbers of the clusters against the class go on where the others end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from string import ascii_lowercase
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.core.atlas import Atlas
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.summaries.peaks import Index, peaks_of
from g3dvit_napari.summaries.places import Place, place_of

MIN_DISTANCE_MM = 8.0
MOST_SUBPEAKS = 3


@dataclass(frozen=True)
class Peak:
    """One row of the table: the peak of a cluster, or a further peak in it.

    name
        "2" for the peak of the second cluster, "2a" for its next peak.
    size_mm3
        Of the whole cluster; None for further peaks.
    """

    name: str
    place: Place
    size_mm3: float | None = None


@dataclass(frozen=True)
class Clusters:
    """The table; `sentence` says what it cannot, and why it is empty."""

    rows: tuple[Peak, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, eq=False)
class _Blob:
    """One cluster: where its box begins, and the sizes of its voxels in it, 0 beside it."""

    corner: Index
    sizes: NDArray[np.floating[Any]]
    count: int


def clusters_of(
    explanation: Explanation,
    atlas: Atlas | None = None,
    *,
    min_distance_mm: float = MIN_DISTANCE_MM,
    most: int | None = None,
) -> Clusters:
    """List the peaks and clusters of the smooth map where it is at or above its cut.

    Parameters
    ----------
    explanation
        Its cut is used: the one that the threshold came to.
    atlas
        Names the region that each peak lies in.
    min_distance_mm
        Further peaks of a cluster lie more than this apart.
    most
        List so many clusters at most, the strongest of either sign.
    """
    if explanation.status != "ok":
        return Clusters(sentence=explanation.message)
    placed = None if atlas is None else atlas.on(explanation.relevance)
    locate = partial(place_of, explanation, placed)
    rows: list[Peak] = []
    listed = found = 0
    for sign in (1, -1) if explanation.signed else (1,):
        sizes = _sizes(explanation, sign)
        labels, count = ndimage.label(sizes > 0)
        found += count
        for blob in _blobs(sizes, labels, count, most):
            listed += 1
            rows += _rows_of(blob, listed, min_distance_mm, explanation, locate)
    return Clusters(tuple(rows), _sentence(listed, found))


def _sizes(explanation: Explanation, sign: int) -> NDArray[np.floating[Any]]:
    """Return the map of one sign where it is shown, and 0 elsewhere."""
    values = np.nan_to_num(explanation.scaled.voxels * np.float32(sign))
    cut = max(explanation.cut or 0.0, 0.0)
    return np.where((values >= cut) & (values > 0), values, 0)


def _blobs(
    sizes: NDArray[np.floating[Any]], labels: NDArray[Any], count: int, most: int | None
) -> Iterator[_Blob]:
    """Yield the clusters, the highest peak first; each in a box with a margin of one voxel."""
    highest = ndimage.maximum(sizes, labels, np.arange(1, count + 1)) if count else np.empty(0)
    boxes = ndimage.find_objects(labels)
    for number in np.argsort(-np.asarray(highest), kind="stable")[:most]:
        box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in boxes[number])
        mine = labels[box] == number + 1
        x, y, z = (s.start for s in box)
        yield _Blob((x, y, z), np.where(mine, sizes[box], 0), int(mine.sum()))


def _rows_of(
    blob: _Blob, number: int, min_distance_mm: float, explanation: Explanation, locate: Any
) -> list[Peak]:
    affine = explanation.relevance.affine
    voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
    peaks = peaks_of(blob.sizes, affine[:3, :3], min_distance_mm)[: MOST_SUBPEAKS + 1]
    names = (str(number), *(f"{number}{letter}" for letter in ascii_lowercase[:MOST_SUBPEAKS]))
    return [
        Peak(name, locate(np.add(blob.corner, index)), None if order else blob.count * voxel_mm3)
        for order, (name, index) in enumerate(zip(names, peaks, strict=False))
    ]


def _sentence(listed: int, found: int) -> str:
    if found == 0:
        return "Nothing of the map reaches the threshold: there is no cluster."
    if listed < found:
        return f"The strongest {listed:,} of {found:,} clusters are listed."
    return ""
