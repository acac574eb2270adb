"""What a map says at one point: where it is, how relevant, how that ranks, in which region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.atlas import Atlas
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.places.ground import Ground, Point

UNSEEN = "outside the field of view"


@dataclass(frozen=True)
class Reading:
    """The values at one point; None where the network never looked."""

    world_mm: tuple[float, float, float]
    relevance: float | None = None
    raw: float | None = None
    rank: float | None = None
    region: str = ""

    @property
    def words(self) -> str:
        """The reading in one line."""
        place = " ".join(f"{part:.1f}" for part in self.world_mm) + " mm"
        if self.relevance is None or self.raw is None or self.rank is None:
            said = UNSEEN
        else:
            share = max(100 * self.rank, 0.1)
            said = f"{self.relevance:.2f} ({_short(self.raw)}) · top {share:.1f} %"
        return f"{place} · {said}"


@dataclass(frozen=True, eq=False)
class Sight:
    """A map and its regions, ready to be read at any point; made once per map."""

    explanation: Explanation
    ground: Ground
    atlas: Atlas | None = None  # on the volume's grid

    def at(self, canvas: Sequence[float]) -> Reading | None:
        """Read a point of the canvas; None off the map."""
        return self._read(self.ground.index_at(canvas))

    def along(self, canvas: Sequence[float], direction: Sequence[float]) -> Reading | None:
        """Read the strongest point along a ray into the volume, as it is drawn there."""
        values = self.explanation.scaled.voxels
        start, step = self.ground.index_at(canvas), self.ground.step_along(direction)
        reach = sum(values.shape) + float(np.abs(start - np.array(values.shape) / 2).max())
        points = start + np.arange(-reach, reach)[:, None] * step
        voxels = _nearest(points)
        inside = ((voxels >= 0) & (voxels < values.shape)).all(axis=1)
        if not inside.any():
            return None
        points, found = points[inside], values[tuple(voxels[inside].T)]
        if np.isnan(found).all():
            return self._read(points[0])
        return self._read(points[int(np.nanargmax(np.abs(found)))])

    def _read(self, index: Point) -> Reading | None:
        scaled, voxel = self.explanation.scaled, _nearest(index)
        if (voxel < 0).any() or (voxel >= scaled.voxels.shape).any():
            return None
        x, y, z = (float(part) for part in self.ground.mm(index))
        at = (int(voxel[0]), int(voxel[1]), int(voxel[2]))
        region = "" if self.atlas is None else _region(self.atlas, at)
        value = float(scaled.voxels[at])
        if np.isnan(value):
            return Reading((x, y, z), region=region)
        return Reading((x, y, z), value, scaled.raw(value), scaled.rank(value), region)


def _short(value: float) -> str:
    """Write a number in few letters."""
    plain = value == 0 or 0.01 <= abs(value) < 10_000
    return f"{value:.3g}" if plain else f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")


def _nearest(index: Point) -> NDArray[Any]:
    return np.floor(index + 0.5).astype(np.intp)


def _region(atlas: Atlas, voxel: tuple[int, int, int]) -> str:
    label = int(atlas.labels.data[voxel])
    return atlas.name_of(label) if label else "no region"
