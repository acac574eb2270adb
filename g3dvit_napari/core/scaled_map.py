"""A map made ready to be looked at: scaled once, then cut at any threshold without the network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.threshold import apply_cut, cut_value
from g3dvit_napari.core.types import Stage, Threshold


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
    def _ordered(self) -> dict[Stage, NDArray[np.floating]]:
        """Per stage, the sizes of all values in the field of view; sorted once, cut many times."""
        seen = self.voxels[self.placement.field_of_view > 0]
        return {"patches": self._sizes(self.patches.ravel()), "voxels": self._sizes(seen)}

    def _sizes(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.sort(np.abs(values) if self.signed else values)

    def cut(self, threshold: Threshold) -> float | None:
        """Return where a threshold cuts, on the scale of this map; None when nothing is cut."""
        return cut_value(self._ordered[threshold.stage], threshold)

    def shown(self, threshold: Threshold) -> tuple[NDArray[np.float32], float | None]:
        """Return the map on the volume's own grid with what is below the cut set to zero."""
        cut = self.cut(threshold)
        if threshold.stage == "voxels":
            return apply_cut(self.voxels, cut, signed=self.signed), cut
        return self.placement.to_native(apply_cut(self.patches, cut, signed=self.signed)), cut
