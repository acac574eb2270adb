"""A map made ready to be looked at: scaled once, then cut at any threshold without the network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.threshold import apply_cut, cut_value
from g3dvit_napari.core.types import Threshold


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
    """

    placement: Placement
    patches: NDArray[np.float64]
    signed: bool

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

    def cut(self, threshold: Threshold) -> float | None:
        """Return where a threshold cuts, on the scale of this map; None when nothing is cut."""
        on_patches = threshold.stage == "patches"
        return cut_value(self._patch_sizes if on_patches else self._voxel_sizes, threshold)

    def shown(self, threshold: Threshold) -> tuple[NDArray[np.float32], float | None]:
        """Return the map on the volume's own grid with what is below the cut set to zero."""
        cut = self.cut(threshold)
        if threshold.stage == "voxels":
            return apply_cut(self.voxels, cut, signed=self.signed), cut
        return self.placement.to_native(apply_cut(self.patches, cut, signed=self.signed)), cut
