"""What 1 stands for in the cells of a comparison: one raw value for all, or each map's largest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.types import Explanation, Threshold


@dataclass(frozen=True)
class Scale:
    """Shown values: raw ones as shares of `largest`, or scaled by each map itself (None).

    whose
        The title of the map that reaches the largest value.
    """

    largest: float | None = None
    whose: str = ""

    def voxels(self, explanation: Explanation) -> NDArray[np.float32]:
        """Return a map as shown, on the volume's grid (x y z); NaN outside the field of view."""
        slope, offset = self._line(explanation)
        shown = explanation.scaled.voxels
        if (slope, offset) == (1.0, 0.0):
            return shown
        return shown * np.float32(slope) + np.float32(offset)

    def patches(self, explanation: Explanation) -> NDArray[Any]:
        """Return a map as shown, on its patch grid (x y z)."""
        slope, offset = self._line(explanation)
        scaled = explanation.scaled
        return scaled.placement.patch_volume(scaled.patches * slope + offset).data

    def cut(self, explanation: Explanation, threshold: Threshold) -> float | None:
        """Return where a threshold cuts a map as shown; None when nothing is cut.

        A "value" is one on this scale; shares are those of each map.
        """
        if threshold.kind == "value":
            return threshold.amount
        cut = explanation.scaled.cut(threshold)
        slope, offset = self._line(explanation)
        return None if cut is None else cut * slope + offset

    def peak(self, explanation: Explanation) -> float | None:
        """Return what the largest value of a map is on the common scale; None on own scales."""
        return None if self.largest is None else explanation.scaled.limits[1] / self.largest

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return "own scales" if self.largest is None else f"common: 1 = {self.largest:.3g}"

    def _line(self, explanation: Explanation) -> tuple[float, float]:
        """Return slope and offset from the map's own scale to this one."""
        low, high = explanation.scaled.limits
        if self.largest is None or high <= low:
            return 1.0, 0.0
        return (high - low) / self.largest, low / self.largest


OWN = Scale()


def common_scale(titled: Sequence[tuple[str, Explanation]]) -> Scale:
    """Return the scale on which the largest raw value of all maps is 1."""
    tops = [(e.scaled.limits[1], title) for title, e in titled if e.status == "ok"]
    largest, whose = max(tops, default=(0.0, ""))
    return Scale(largest, whose) if largest > 0 else OWN
