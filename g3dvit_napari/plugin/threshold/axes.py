"""The two axes of the histogram: along the values, or along how many lie below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from g3dvit_napari.summaries.extent import Extent

DECADES = 3  # the percentiles run to 99.9: each decade leaves a tenth
PERCENTILES = (0, 50, 90, 99, 99.9)
PARTS = 128  # bars along the percentiles
LINEAR_STEP, PERCENTILE_STEP = 0.01, 0.01  # of the value; of the length of the axis


class Bar(NamedTuple):
    """A bar from `left` to `right` (0 to 1), so high (0 to 1), in the colour of a value."""

    left: float
    right: float
    height: float
    value: float


class Axis(Protocol):
    """Where cuts lie along a histogram; places run from 0 (left) to 1."""

    def places(self, cut: float) -> tuple[float, ...]:
        """Return where a cut lies: at one place, or at one on each side of zero."""

    def cut_at(self, place: float) -> float:
        """Return the cut at a place."""

    def stepped(self, cut: float, steps: int) -> float:
        """Return the cut so many small steps further."""

    def bars(self) -> Iterator[Bar]:
        """Return the bars from left to right."""

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Return places and words below the axis."""


class LinearAxis:
    """Along the values; heights are logarithms of counts, for most values are nearly zero."""

    def __init__(self, extent: Extent) -> None:
        self._extent, self._low = extent, -1.0 if extent.signed else 0.0

    def places(self, cut: float) -> tuple[float, ...]:
        """Return where a cut lies."""
        sides = (-cut, cut) if self._extent.signed else (cut,)
        return tuple(min(max(self._place(side), 0.0), 1.0) for side in sides)

    def cut_at(self, place: float) -> float:
        """Return the cut at a place; left of zero it is the size that counts."""
        value = self._low + min(max(place, 0.0), 1.0) * (1.0 - self._low)
        return abs(value)

    def stepped(self, cut: float, steps: int) -> float:
        """Return the cut so many hundredths further."""
        return min(max(cut + steps * LINEAR_STEP, 0.0), 1.0)

    def bars(self) -> Iterator[Bar]:
        """Return a bar per bin that is not empty."""
        counts, edges = self._extent.counts, self._extent.edges
        heights = np.log1p(counts) / max(float(np.log1p(counts.max())), 1e-9)
        for height, low, high in zip(heights, edges[:-1], edges[1:], strict=True):
            if height > 0:
                yield Bar(self._place(low), self._place(high), float(height), float(low + high) / 2)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Return the ends and the middle."""
        return tuple((self._place(v), f"{v:g}") for v in (self._low, (self._low + 1) / 2, 1.0))

    def _place(self, value: float) -> float:
        return float(value - self._low) / (1.0 - self._low)


class PercentileAxis:
    """Along the share of voxels that lie below; each third of the axis leaves a tenth.

    Heights are the values themselves: a map that is peaked climbs late and steeply.
    """

    def __init__(self, extent: Extent) -> None:
        self._sizes = extent.voxels

    def places(self, cut: float) -> tuple[float, ...]:
        """Return where a cut lies."""
        return (_place_of(self._sizes.share(cut)),)

    def cut_at(self, place: float) -> float:
        """Return the cut at a place."""
        kept = 10.0 ** (-DECADES * min(max(place, 0.0), 1.0))
        return min(max(self._sizes.at(100.0 * (1.0 - kept)), 0.0), 1.0)

    def stepped(self, cut: float, steps: int) -> float:
        """Return the cut so many hundredths of the axis further, or the next other one."""
        place = _place_of(self._sizes.share(cut)) + steps * PERCENTILE_STEP
        direction = PERCENTILE_STEP if steps > 0 else -PERCENTILE_STEP
        while self.cut_at(place) == cut and 0 < place < 1:  # many places can hold one value
            place += direction
        return self.cut_at(place)

    def bars(self) -> Iterator[Bar]:
        """Return bars of one width, as high as their values."""
        for part in range(PARTS):
            value = self.cut_at((part + 0.5) / PARTS)
            if value > 0:
                yield Bar(part / PARTS, (part + 1) / PARTS, value, value)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Return round percentiles."""
        return tuple((_place_of(1 - p / 100), f"{p:g}") for p in PERCENTILES)


def _place_of(kept: float) -> float:
    least = 10.0**-DECADES
    return float(-np.log10(min(max(kept, least), 1.0)) / DECADES)
