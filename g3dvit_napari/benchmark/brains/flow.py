"""Growing ventricles: the flow of a velocity field, which moves space and never folds it.

A displacement along the distance from the ventricles folds as soon as it is of use. The flow
exp(s v) of a smooth velocity field v does not. It is a group in s, so amplitudes are steps of one
small flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from g3dvit_napari.benchmark.brains.grid import Array, Floats, Grid, Mask, world_to_index
from g3dvit_napari.benchmark.brains.template import Template, thinned
from g3dvit_napari.benchmark.brains.warp import jacobian

STEP, STEPS = 0.25, 18  # mm of velocity per step; steps: up to 4.5
SQUARINGS = 5
REACH, SMOOTHING = 12.0, 3.0  # mm: how far the flow is felt; of the velocity
DEEP = 12.0  # mm inside the brain: nearer to its surface is no ventricle
LEAST = 0.1  # the Jacobian stays above, in both directions
_LIMITS = ((-38, 38), (-58, 35), (-4, 32))  # mm, of the voxels that are counted
_HEAD = 0.12


@dataclass(frozen=True, eq=False)
class Flow:
    """Displacements (s, 3, x, y, z) in mm that shrink space towards the ventricles, on a grid.

    Reading an image at x + u(x) makes the ventricles in it larger.
    """

    displacements: Array
    grid: Grid

    def at(self, amplitude: float) -> Array:
        """Return the displacement (3, x, y, z) of one amplitude, 0 to 4.5."""
        place = np.clip(amplitude / STEP, 0, len(self.displacements) - 1)
        low = min(int(place), len(self.displacements) - 2)
        share = np.float32(place - low)
        return np.asarray(
            (1 - share) * self.displacements[low] + share * self.displacements[low + 1]
        )

    def pull(self, where: Array, amplitude: float) -> Array:
        """Return where the template is read (3, ...) for world positions (3, ...), mm."""
        index, moved = world_to_index(where, self.grid.affine), self.at(amplitude)
        steps = [ndimage.map_coordinates(u, index, order=1, mode="nearest") for u in moved]
        return np.asarray(where + np.stack(steps), dtype=np.float32)


@lru_cache(maxsize=1)
def flow() -> Flow:
    """Return the flow of the template's ventricles on a grid of 4 mm.

    Raises
    ------
    ArithmeticError
        When it folds, or nearly does.
    """
    fine = thinned("t1")
    velocity = velocity_of(ventricles(), fine)
    grid = Grid(_half(fine).shape, fine.affine @ np.diag([2.0, 2, 2, 1]))
    small = -np.stack([_half_of(v) for v in velocity]) * STEP / 2**SQUARINGS
    for _ in range(SQUARINGS):
        small = after(small, small, grid)
    whole = [np.zeros_like(small)]
    for _ in range(STEPS):
        whole.append(after(small, whole[-1], grid))
    found = Flow(np.stack(whole).astype(np.float32), grid)
    change = jacobian(found.displacements[-1], grid.edge)
    if not (change.min() > LEAST and change.max() < 1 / LEAST):
        raise ArithmeticError(f"the flow folds: Jacobian {change.min():.3f} to {change.max():.3f}")
    return found


@lru_cache(maxsize=1)
def ventricles() -> Mask:
    """Return the ventricles of the template (x y z) at 2 mm: dark, deep, and in one piece."""
    fine = thinned("t1")
    brain = ndimage.binary_fill_holes(ndimage.binary_opening(fine.data > _HEAD))
    deep = ndimage.distance_transform_edt(brain, sampling=2.0) > DEEP
    matter = thinned("gm").data + thinned("wm").data
    pieces, _ = ndimage.label(deep & (matter < 0.5))
    world = Grid(fine.data.shape, fine.affine).positions_mm()
    near = np.logical_and.reduce(
        [(w > low) & (w < high) for w, (low, high) in zip(world, _LIMITS, strict=True)]
    )
    counts = np.bincount(pieces[near])
    counts[0] = 0
    mask: Mask = pieces == int(counts.argmax())
    return mask


def velocity_of(mask: Mask, fine: Template) -> Floats:
    """Return the velocity (3, x, y, z), 1 mm at the rim of a mask and away from it."""
    out = ndimage.distance_transform_edt(~mask, sampling=2.0)
    distance = out - ndimage.distance_transform_edt(mask, sampling=2.0)
    slope = np.stack(np.gradient(ndimage.gaussian_filter(distance, 1.0), 2.0))
    size = np.maximum(np.linalg.norm(slope, axis=0), 1e-6)
    felt = np.exp(-(distance**2) / (2 * REACH**2))
    edge = Grid(fine.data.shape, fine.affine).edge
    return np.stack([ndimage.gaussian_filter(s / size * felt, SMOOTHING / edge) for s in slope])


def after(first: Floats, then: Floats, grid: Grid) -> Floats:
    """Return the displacement of one map after another: x to x + first, and from there on."""
    index = np.indices(grid.shape) + first / grid.edge
    moved = [ndimage.map_coordinates(u, index, order=1, mode="nearest") for u in then]
    return np.asarray(first + np.stack(moved))


def _half(fine: Template) -> Array:
    return fine.data[::2, ::2, ::2]


def _half_of(field: Floats) -> Floats:
    return field[::2, ::2, ::2]
