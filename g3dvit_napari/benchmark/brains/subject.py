"""A brain without effect and without noise, and the scan that is made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.benchmark.brains.grid import Array, Floats, Grid, Mask, world_to_index
from g3dvit_napari.benchmark.brains.template import Template
from g3dvit_napari.benchmark.brains.warp import displacement, smooth

WARP = 2.5  # mm, standard deviation at the control points
SHADING_POINTS, SHADING = 3, 0.10  # control points along an axis; spread of the log gain there
GAIN = (0.9, 1.1)
NOISE = 0.03  # of the brightest white matter
PEAK = 400.0  # int16 value of the brightest white matter
HEAD = 0.12  # darker places hold no brain

Pull = Callable[[Array], Array]  # world positions (3, x, y, z) to where the template is read


@dataclass(frozen=True, eq=False)
class Subject:
    """A brain without effect and noise; `signal` (x y z) is 1 at the brightest white matter."""

    signal: Array
    mask: Mask


@dataclass(frozen=True, eq=False)
class Body:
    """What was drawn at random of a subject: where voxels come from in the template, and shading.

    `where` are world positions (3, x, y, z), mm.
    """

    where: Array
    shading: Floats

    def shown(self, template: Template, pull: Pull | None = None) -> Subject:
        """Return the subject; `pull` moves where the template is read."""
        where = self.where if pull is None else pull(self.where)
        index = world_to_index(where, template.affine)
        bent = ndimage.map_coordinates(template.data, index, order=1).astype(np.float32)
        mask = ndimage.binary_opening(bent > HEAD)
        return Subject(bent * mask * self.shading.astype(np.float32), mask)


def body(rng: np.random.Generator, grid: Grid) -> Body:
    """Return the random part of a subject."""
    where = grid.positions_mm().astype(np.float32) + displacement(rng, grid, WARP)
    field = smooth(rng, SHADING_POINTS, SHADING, grid)
    return Body(where, np.exp(field) * rng.uniform(*GAIN))


def scan(signal: Array, mask: Mask, rng: np.random.Generator) -> NDArray[np.int16]:
    """Return the signal with noise inside the head, as a scanner would store it."""
    noisy = signal.copy()
    noisy[mask] += NOISE * rng.standard_normal(int(mask.sum()), dtype=np.float32)
    stored: NDArray[np.int16] = np.clip(np.rint(noisy * PEAK), 0, 32767).astype(np.int16)
    return stored
