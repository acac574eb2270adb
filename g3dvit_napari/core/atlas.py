"""Named regions of the head: an image of labels, on its own grid or on that of a volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core import space
from g3dvit_napari.core.axes import within
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import Volume

MOST_LABELS = 10_000  # more different values are a picture, not regions
WHOLE = 1e-3  # labels stored as floats may be off by as much
SAME_MM = 1e-3
_SLAB = 1 << 20  # voxels that are looked up at a time


@dataclass(frozen=True, eq=False)
class Atlas:
    """Labels and their names.

    labels
        Whole numbers, 0: no region.
    names
        The name of each label, as far as there is one.
    remarks
        What is doubtful about the file.
    """

    labels: Volume
    names: Mapping[int, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def name_of(self, label: int) -> str:
        """Return the name of a label; one without a name is numbered."""
        return self.names.get(label) or f"label-{label}"

    def on(self, volume: Volume) -> Atlas:
        """Return the same regions on a volume's grid: each voxel takes the nearest label.

        Affines are exact; what the image of labels does not reach is no region.
        """
        if same_grid(self.labels, volume):
            return self
        to_label = np.linalg.inv(self.labels.affine) @ volume.affine
        found = np.zeros(volume.shape, np.int32)
        deep = max(1, _SLAB // (volume.shape[1] * volume.shape[2]))
        for first in range(0, volume.shape[0], deep):
            slab = found[first : first + deep]
            _look_up(self.labels.data, to_label @ space.step_affine((first, 0, 0), (1,) * 3), slab)
        lost = np.setdiff1d(self.labels.data, found)
        remarks = self.remarks
        if lost.any():
            known = np.count_nonzero(np.unique(self.labels.data))
            gone = np.count_nonzero(lost)
            remarks += (f"{gone} of {known} regions have no voxel on this volume's grid.",)
        return Atlas(volume.like(found, self.labels.name), self.names, remarks)


def atlas_of(
    labels: Volume, names: Mapping[int, str] | None = None, remarks: tuple[str, ...] = ()
) -> Atlas:
    """Return an atlas of an image of labels.

    Raises
    ------
    VolumeError
        When the values are no labels.
    """
    whole = np.rint(labels.data, dtype=np.result_type(labels.data, np.float32))
    off = np.abs(labels.data - whole)
    if not off.max(initial=0) <= WHOLE:
        raise VolumeError(
            f"{labels.name}: {labels.data.flat[int(np.argmax(off))]:g} is no label; regions need "
            "an image of whole numbers, resampled to the nearest voxel"
        )
    if np.abs(whole).max(initial=0) >= 2**24:
        raise VolumeError(
            f"{labels.name}: label {np.abs(whole).max():.0f} is too large to be told from its "
            f"neighbours; renumber the regions below {2**24}"
        )
    found = np.unique(whole).size
    if found > MOST_LABELS:
        raise VolumeError(
            f"{labels.name} holds {found:,} different values, more than the {MOST_LABELS:,} that "
            "regions may have; choose an image of labels"
        )
    return Atlas(labels.like(whole.astype(np.int32)), dict(names or {}), remarks)


def same_grid(first: Volume, second: Volume) -> bool:
    """Whether two volumes have the same voxels, to a thousandth of a millimetre at the corners."""
    if first.shape != second.shape:
        return False
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in first.shape]), -1).reshape(-1, 3)
    apart = (first.affine - second.affine) @ np.c_[corners, np.ones(len(corners))].T
    return bool(np.abs(apart).max() <= SAME_MM)


def _look_up(labels: NDArray[np.int32], to_label: space.Affine, into: NDArray[np.int32]) -> None:
    """Fill a slab (x y z) with the labels at the places of its voxels."""
    indices = np.ogrid[tuple(slice(n) for n in into.shape)]
    inside, nearest = np.ones(into.shape, bool), []
    for row, count in zip(to_label, labels.shape, strict=False):
        place = row[3] + sum(row[axis] * indices[axis] for axis in range(3))
        inside &= within(place, count)
        nearest.append(np.clip(np.floor(place + 0.5), 0, count - 1).astype(np.intp))
    into[...] = np.where(inside, labels[tuple(nearest)], 0)
