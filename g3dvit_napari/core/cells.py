"""Where the cells of a map lie in the network's input: patches, feature-map cells or voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Triple = tuple[int, int, int]
Floats = tuple[float, float, float]


@dataclass(frozen=True)
class Cells:
    """A regular grid of cells over the network's input; triples run along its axes (f, h, w).

    shape
        How many cells.
    size
        Distance between the centres of neighbouring cells, in voxels of the input.
    first
        Where the centre of the first cell lies, in voxel indices (0 is the centre of voxel 0).
    """

    shape: Triple
    size: Floats
    first: Floats

    @classmethod
    def tiling(cls, shape: Sequence[int], size: Sequence[float]) -> Cells:
        """Return cells that tile the input from its first face on, as patches do."""
        f, h, w = (float(s) for s in size)
        grid = (int(shape[0]), int(shape[1]), int(shape[2]))
        return cls(grid, (f, h, w), ((f - 1) / 2, (h - 1) / 2, (w - 1) / 2))

    @classmethod
    def voxels(cls, image_size: Sequence[int]) -> Cells:
        """Return one cell per voxel of the input."""
        return cls.tiling(image_size, (1, 1, 1))

    @property
    def count(self) -> int:
        """Number of cells."""
        f, h, w = self.shape
        return f * h * w
