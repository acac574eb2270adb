"""How far every place is from the target, computed once for all maps of a scene."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from g3dvit_napari.core import space
from g3dvit_napari.core.evaluation import Floats, Level, Mask, Scene
from g3dvit_napari.core.units import patch_corners

Unit = Literal["mm", "voxels", "half patches"]


def to_target(scene: Scene, unit: Unit = "mm") -> Floats:
    """Return the distance (x y z) of every voxel's centre to the nearest one in the target.

    In millimetres, in voxels, or in halves of a patch's diagonal.

    Raises
    ------
    ValueError
        When the scene has no truth.
    """
    truth = scene.mask("truth")
    if unit == "voxels":
        return scene.once(("distance", unit), lambda: distances(truth, np.eye(4)))
    affine = scene.placement.volume.affine
    mm = scene.once(("distance", "mm"), lambda: distances(truth, affine))
    return mm if unit == "mm" else mm / half_diagonal(scene)


def distances(mask: Mask, affine: space.Affine) -> Floats:
    """Return the distance (x y z) of every voxel to the nearest one of a mask, in world units.

    Exact also where the axes of the grid are not at right angles, as after a shear.
    """
    axes = affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    if np.abs(axes.T @ axes / np.outer(spacing, spacing) - np.eye(3)).max() < 1e-6:
        right: Floats = ndimage.distance_transform_edt(~mask, sampling=spacing)
        return right
    centres = np.moveaxis(np.indices(mask.shape), 0, -1) @ axes.T
    return np.asarray(KDTree(centres[mask]).query(centres)[0])


def half_diagonal(scene: Scene) -> float:
    """Return the largest distance from the centre of a patch to one of its corners, in mm."""
    return float(np.linalg.norm(patch_corners(scene.placement, scene.patches), axis=1).max())


def mean_distance(scene: Scene, level: Level) -> Floats:
    """Return the distance in mm (n) of every place that counts; of a patch, its voxels' mean."""
    return scene.once(("mean distance", level), lambda: _mean_distance(scene, level))


def _mean_distance(scene: Scene, level: Level) -> Floats:
    far = to_target(scene)[scene.counted]
    if level == "voxel":
        return far
    numbers = scene.patch_numbers[scene.counted]
    total = np.bincount(numbers, far, minlength=scene.patches.count)
    voxels = np.bincount(numbers, minlength=scene.patches.count)
    mean: Floats = total[scene.counted_patches] / voxels[scene.counted_patches]
    return mean
