"""The difference of two maps of one volume, as they are shown, and how far the two agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import floor, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.threshold import cut_value
from g3dvit_napari.core.types import Explanation, Threshold, Volume
from g3dvit_napari.plugin.comparing.scale import Scale

Titled = tuple[str, Explanation]
ROUND = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)  # the ends of a colour bar


@dataclass(frozen=True, eq=False)
class Difference:
    """A map minus another, both on one scale; a cell of a comparison.

    agreement
        A `summaries.Agreement`.
    """

    first: Titled
    second: Titled
    scale: Scale
    agreement: Any

    @property
    def title(self) -> str:
        """What is subtracted from what."""
        return f"{self.first[0]} − {self.second[0]}"

    @property
    def facts(self) -> tuple[str, ...]:
        """The agreement in one line."""
        found = self.agreement
        if found.why_not:
            return (self.why_not,)
        return (f"ρ {found.spearman:.2f} · Dice {found.dice:.2f} (chance {found.chance:.2f})",)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Nothing: the agreement says why there is none."""
        return ()

    @property
    def why_not(self) -> str:
        """Why there is no agreement, in words; empty where there is one."""
        words = self.agreement.why_not
        for letter, (title, explanation) in (("A", self.first), ("B", self.second)):
            status = "" if explanation.status == "ok" else f" ({explanation.status})"
            words = words.replace(f"map {letter} is constant", f"{title} is constant{status}")
        return f"no agreement can be given: {words}" if words else ""

    @property
    def figures(self) -> str:
        """The agreement in full."""
        found = self.agreement
        if found.why_not:
            return f"{self.why_not[0].upper()}{self.why_not[1:]}."
        return (
            f"Spearman's ρ {found.spearman:.3f} · {found.places:,} {found.unit}\n"
            f"Dice of the top 5 %: {found.dice:.3f} (chance {found.chance:.3f})\n"
            f"Subtracted as shown ({self.scale.words})"
        )

    @property
    def signed(self) -> bool:
        """A difference runs to both sides of zero."""
        return True

    @property
    def volume(self) -> Volume:
        """A volume on the grid of the values."""
        return self.first[1].relevance

    @cached_property
    def _values(self) -> NDArray[np.float32]:
        one, two = (self.scale.voxels(explanation) for _, explanation in (self.first, self.second))
        return np.subtract(one, two, dtype=np.float32)

    def values(self) -> NDArray[Any]:
        """Return the difference (x y z); NaN where one of the networks saw nothing."""
        return self._values

    @cached_property
    def limit(self) -> float:
        """A round number above all differences: the colours are symmetric about zero."""
        largest = float(self._sizes["voxels"][-1]) if self._sizes["voxels"].size else 0.0
        if largest == 0:
            return 1.0
        decade = 10.0 ** floor(log10(largest))
        return next(step * decade for step in ROUND if step * decade >= largest * (1 - 1e-6))

    @cached_property
    def _sizes(self) -> dict[str, NDArray[Any]]:
        """Sorted sizes per stage; patches where both maps have the same."""
        seen = self._values[np.isfinite(self._values)]
        sizes = {"voxels": np.sort(np.abs(seen))}
        one, two = self.first[1], self.second[1]
        grids = one.patch_map, two.patch_map
        if grids[0].shape == grids[1].shape and np.allclose(grids[0].affine, grids[1].affine):
            patches = self.scale.patches(one) - self.scale.patches(two)
            sizes["patches"] = np.sort(np.abs(patches), axis=None)
        return sizes

    def cut(self, threshold: Threshold) -> float | None:
        """Return where a threshold cuts, as a share of the limit; None when nothing is cut.

        Raw values are those of the common scale; maps on scales of their own have none in common.
        """
        cut: float | None
        if threshold.kind == "absolute":
            cut = threshold.amount / self.scale.largest if self.scale.largest else None
        else:
            sizes = self._sizes.get(threshold.stage, self._sizes["voxels"])
            cut = cut_value(sizes, threshold)
        return None if cut is None else cut / self.limit
