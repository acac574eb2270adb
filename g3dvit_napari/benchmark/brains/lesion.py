"""Ragged balls with a soft edge: lesions, and what looks like the opposite of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from g3dvit_napari.benchmark.brains.grid import Array, Box, Floats, Grid

RAGGED_MM, RAGGED = 4.0, 0.25  # smoothness of the outline, and how far it strays, of the radius
REACH = 1.9  # radii; nothing of a ball lies farther from its centre


@dataclass(frozen=True)
class Lesion:
    """How lesions are drawn; lengths in mm, pairs are the limits of a uniform distribution.

    site
        Of the right half; the left one is its mirror image.
    jitter
        To either side, along x, y, z.
    depth
        Share of the signal that is taken away; negative: added.
    edge
        Over which a lesion fades.
    """

    site: tuple[float, float, float]
    jitter: tuple[float, float, float]
    radius: tuple[float, float]
    depth: tuple[float, float]
    edge: float = 4.0


@dataclass(frozen=True, eq=False)
class Ball:
    """How much of every voxel (x y z) of a box a lesion fills, and how much it takes away."""

    box: Box
    inside: Array
    depth: float
    centre: Floats
    radius: float


def ball(rng: np.random.Generator, kind: Lesion, side: int, grid: Grid) -> Ball:
    """Return a lesion on one side: -1 the left, 1 the right."""
    jitter = np.array(kind.jitter)
    centre = (np.array(kind.site) + rng.uniform(-jitter, jitter)) * (side, 1, 1)
    return ball_at(rng, kind, centre, grid)


def ball_at(rng: np.random.Generator, kind: Lesion, centre: Floats, grid: Grid) -> Ball:
    """Return a lesion at a place (mm)."""
    radius, depth = rng.uniform(*kind.radius), rng.uniform(*kind.depth)
    box = grid.box(centre, radius * REACH)
    offset = grid.positions_mm(box) - centre[:, None, None, None]
    white = rng.standard_normal(offset.shape[1:])
    ragged = ndimage.gaussian_filter(white, RAGGED_MM / grid.edge)
    distance = np.linalg.norm(offset, axis=0) / radius + RAGGED * ragged / ragged.std()
    inside = np.clip((1.0 - distance) * radius / kind.edge + 0.5, 0, 1)
    return Ball(box, inside.astype(np.float32), depth, centre, radius)
