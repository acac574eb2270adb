"""A map made ready to be looked at: scaled once, then cut at any threshold without the network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.head import head_mask
from g3dvit_napari.core.threshold import apply_cut, cut_value
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.core.units import numbers_of


@dataclass(frozen=True, eq=False)
class ScaledMap:
    """A token map scaled to 0…1 (signed: -1…1), on patches and on the volume's own voxels.

    Parameters
    ----------
    placement
        Where the patches lie in the volume.
    patches
        The scaled map (f h w).
    signed
        Whether negative values mean something.
    limits
        The raw values that are shown as 0 and as 1.
    """

    placement: Placement
    patches: NDArray[np.float64]
    signed: bool
    limits: tuple[float, float] = (0.0, 1.0)

    @cached_property
    def voxels(self) -> NDArray[np.float32]:
        """The uncut map on the volume's own grid (x y z); NaN outside the field of view."""
        return self.placement.to_native(self.patches)

    @cached_property
    def _patch_sizes(self) -> NDArray[np.floating]:
        """The sizes of all patches; sorted once, cut many times."""
        return self._sizes(self.patches.ravel())

    @cached_property
    def _voxel_sizes(self) -> NDArray[np.floating]:
        """The sizes of all voxels in the field of view; a cut on patches never needs them."""
        return self._sizes(self.voxels[self.placement.field_of_view > 0])

    def _sizes(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.sort(np.abs(values) if self.signed else values)

    def raw(self, value: float) -> float:
        """Return a value of this map in the method's own units."""
        low, high = self.limits
        return low + value * (high - low)

    def rank(self, value: float) -> float:
        """Return the share of the field of view where the map is at least as strong as here."""
        sizes, size = self._voxel_sizes, abs(value) if self.signed else value
        return 1.0 - float(np.searchsorted(sizes, size)) / max(sizes.size, 1)

    @cached_property
    def head(self) -> NDArray[np.bool_]:
        """The voxels of the volume (x y z) that are no air, seen by the network or not."""
        return head_mask(self.placement.volume.data)

    @cached_property
    def _head(self) -> NDArray[np.bool_]:
        """The voxels of the volume (x y z) that the network sees and that are no air."""
        return self.head & (self.placement.field_of_view > 0)

    @cached_property
    def cell_numbers(self) -> NDArray[np.int64]:
        """Which cell of the map, counted along f h w, each voxel (x y z) lies in; -1: in none."""
        f, h, w = self.patches.shape
        return numbers_of(self.placement, (f, h, w))

    @cached_property
    def _patches_in_head(self) -> NDArray[np.floating]:
        """The sizes of the patches that lie in the head by at least one half."""
        seen = self.cell_numbers >= 0
        index, head = self.cell_numbers[seen], self._head[seen]
        total = np.bincount(index, minlength=self.patches.size)
        inside = np.bincount(index, head, minlength=self.patches.size)
        return self._sizes(self.patches.ravel()[(total > 0) & (inside >= total / 2)])

    @cached_property
    def _voxels_in_head(self) -> NDArray[np.floating]:
        return self._sizes(self.voxels[self._head])

    def cut(self, threshold: Threshold) -> float | None:
        """Return where a threshold cuts, on the scale of this map; None when nothing is cut.

        Otsu's rule looks at the head alone: with the air around it, it would tell air from head.
        """
        if threshold.kind == "absolute":
            low, high = self.limits
            return (threshold.amount - low) / (high - low) if high > low else None
        on_patches = threshold.stage == "patches"
        if threshold.kind == "otsu":
            inside = self._patches_in_head if on_patches else self._voxels_in_head
            if inside.size > 1:
                return cut_value(inside, threshold)
        return cut_value(self._patch_sizes if on_patches else self._voxel_sizes, threshold)

    def shown(self, threshold: Threshold) -> tuple[NDArray[np.float32], float | None]:
        """Return the map on the volume's own grid with what is below the cut set to zero."""
        cut = self.cut(threshold)
        if threshold.stage == "voxels":
            return apply_cut(self.voxels, cut, signed=self.signed), cut
        return self.placement.to_native(apply_cut(self.patches, cut, signed=self.signed)), cut
