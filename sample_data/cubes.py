"""Cubes in noise: where is the cube? After the position task of G3D-ViT, made harder to guess.

A volume of 40 x 40 x 40 voxels of noise holds one brighter cube of 8 x 8 x 8 voxels at one of
5 x 5 x 5 places; the place is the class. Unlike there, every voxel has its own noise, so no two
volumes are equal, and the patches of the network (5 voxels) never coincide with the cube: a patch
that is all cube would look like a patch that is all background to a network that normalises its
patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.benchmark.cubes.places import cube_mask

VERSION = 1  # part of every seed: a change of the generator must change it
GRID, CUBE, PATCH = 40, 8, 5
PLACES = GRID // CUBE
NOISE = 0.25
BACKGROUND, CONTENT = 0.2, 1.0
STEP = 1 / 64  # values are multiples of it, so that files compress
AFFINE = np.eye(4)
SPLITS = ("train", "held out", "shown", "benchmark")
CLASSES = tuple(f"cube at {x} {y} {z}" for x, y, z in np.ndindex(PLACES, PLACES, PLACES))


@dataclass(frozen=True)
class Sample:
    """One volume and the truth about it."""

    data: NDArray[np.float32]
    cube: NDArray[np.bool_]
    label: int


def draw(split: str, index: int, label: int | None = None, noise: float = NOISE) -> Sample:
    """Return sample number `index` of a split, with a random place unless `label` is given."""
    rng = np.random.default_rng([VERSION, SPLITS.index(split), index])
    drawn = int(rng.integers(PLACES**3))
    label = drawn if label is None else label
    cube = cube_mask(GRID, CUBE * np.array(np.unravel_index(label, (PLACES,) * 3)), CUBE)
    clean = np.where(cube, CONTENT, BACKGROUND)
    data = clean + noise * rng.standard_normal(cube.shape)
    return Sample((np.rint(data / STEP) * STEP).astype(np.float32), cube, label)
