"""How much of a map a cut keeps: voxels, millilitres, clusters, and its share inside a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.core.head import head_mask
from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.types import Threshold

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
BINS = 128
DIGITS = 3  # of an amount that was found from a cut


@dataclass(frozen=True, eq=False)
class Sizes:
    """Sizes of values in rising order: what lies above a cut is looked up, not counted."""

    rising: Floats

    def kept(self, cut: float | None) -> int:
        """Return how many are as large as the cut or larger; all where nothing is cut."""
        return self.rising.size - self._first(cut)

    def held(self, cut: float | None) -> float:
        """Return the sum of those that are kept."""
        return float(self.rising[self._first(cut) :].sum(dtype=np.float64))

    def share(self, cut: float | None) -> float:
        """Return which share of all is kept, 0 to 1."""
        return self.kept(cut) / self.rising.size if self.rising.size else 0.0

    def percentile_of(self, cut: float) -> float:
        """Undo `numpy.percentile`: return the percentile, between two sizes linearly."""
        above = self._first(cut)
        if above in (0, self.rising.size):
            return 100.0 if above else 0.0
        low, high = float(self.rising[above - 1]), float(self.rising[above])
        rank = above - 1 + (cut - low) / (high - low)
        return float(np.clip(100.0 * rank / (self.rising.size - 1), 0.0, 100.0))

    def at(self, percentile: float) -> float:
        """Return the size at a percentile, that of the nearest place."""
        if not self.rising.size:
            return 0.0
        return float(self.rising[round(percentile / 100.0 * (self.rising.size - 1))])

    def _first(self, cut: float | None) -> int:
        """Return the place of the smallest size that is kept, compared in its own precision."""
        if cut is None:
            return 0
        return int(np.searchsorted(self.rising, self.rising.dtype.type(cut), "left"))


class Kept(NamedTuple):
    """What one cut keeps of a map.

    voxels, share, ml
        Their number, their share of the field of view (0 to 1), their volume in millilitres.
    inside
        Which share of the kept relevance (of the sum of sizes) lies in the mask; None where the
        kept sizes sum to zero.
    chance
        Which share of the field of view lies in the mask: what a map that knows nothing has inside.
    """

    voxels: int
    share: float
    ml: float
    inside: float | None
    chance: float


@dataclass(frozen=True, eq=False)
class Extent:
    """A map's values, sorted once, so that every cut has its figures at once.

    voxels, patches
        Sizes of the voxels in the field of view, and of the patches.
    inside
        Sizes of the voxels in the field of view that lie in the mask.
    counts, edges
        The histogram of the voxels' values, from 0 to 1; of signed maps from -1 to 1.
    voxel_ml
        Millilitres per voxel.
    """

    voxels: Sizes
    patches: Sizes
    inside: Sizes
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    voxel_ml: float
    signed: bool
    limits: tuple[float, float]

    def kept(self, cut: float | None) -> Kept:
        """Return what a cut keeps; None: all of the field of view."""
        number, held = self.voxels.kept(cut), self.voxels.held(cut)
        return Kept(
            voxels=number,
            share=self.voxels.share(cut),
            ml=number * self.voxel_ml,
            inside=self.inside.held(cut) / held if held > 0 else None,
            chance=self.inside.rising.size / max(self.voxels.rising.size, 1),
        )

    def threshold_at(self, cut: float, like: Threshold) -> Threshold:
        """Return the threshold that cuts there, of the same kind where the kind has an amount.

        Amounts have three digits that count, so the cut that they lead to is a neighbour.
        """
        sizes = self.patches if like.stage == "patches" else self.voxels
        if like.kind == "keep":
            return Threshold("keep", _rounded(100.0 - sizes.percentile_of(cut)), like.stage)
        if like.kind == "mass":
            whole = sizes.held(None)
            share = sizes.held(cut) / whole if whole > 0 else 1.0
            return Threshold("mass", _rounded(100.0 * share), like.stage)
        if like.kind == "absolute":
            low, high = self.limits
            raw = round(low + cut * (high - low), DIGITS - _magnitude(high - low))
            return Threshold("absolute", raw, like.stage)
        return Threshold("value", _rounded(cut), like.stage)


def extent_of(scaled: ScaledMap, mask: NDArray[Any] | None = None) -> Extent:
    """Return a map's extent, ready for any cut.

    Parameters
    ----------
    scaled
        The map before any cut.
    mask
        On the volume's own grid (x y z), true inside; the head as found in the volume when not
        given. Only what lies in the field of view counts.
    """
    placement = scaled.placement
    if mask is None:
        mask = head_mask(placement.volume.data)
    seen = (placement.field_of_view > 0) & np.isfinite(scaled.voxels)
    values = scaled.voxels[seen]
    counts, edges = np.histogram(values, BINS, (-1.0 if scaled.signed else 0.0, 1.0))
    per_voxel = abs(float(np.linalg.det(placement.volume.affine[:3, :3]))) / 1000.0

    def sorted_sizes(found: Floats) -> Sizes:
        return Sizes(np.sort(np.abs(found) if scaled.signed else found, axis=None))

    return Extent(
        voxels=sorted_sizes(values),
        patches=sorted_sizes(scaled.patches),
        inside=sorted_sizes(scaled.voxels[seen & (mask > 0)]),
        counts=counts,
        edges=edges,
        voxel_ml=per_voxel,
        signed=scaled.signed,
        limits=scaled.limits,
    )


def clusters_at(scaled: ScaledMap, cut: float | None) -> int:
    """Return in how many clusters the kept voxels lie: neighbours share a face, as in nilearn.

    Evidence for a class and evidence against it are never one cluster.
    """
    values = scaled.voxels
    if cut is None:
        return int(ndimage.label(np.isfinite(values))[1])
    count = int(ndimage.label(values >= cut)[1])
    if scaled.signed:
        count += int(ndimage.label(values <= -cut)[1])
    return count


def _magnitude(value: float) -> int:
    return int(np.floor(np.log10(abs(value)))) if value else 0


def _rounded(value: float) -> float:
    return round(value, DIGITS - 1 - _magnitude(value))
