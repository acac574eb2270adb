"""Scenes whose truth is known: odd shapes, oblique and anisotropic, or plain cubes."""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np

from g3dvit_napari.core import space
from g3dvit_napari.core.evaluation import Mask, Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import Source, Volume

Triple = tuple[int, int, int]
TILT = nib.eulerangles.euler2mat(0.12, -0.09, 0.2)
SHAPE, GRID, PATCH = (19, 23, 17), (15, 20, 12), (5, 5, 4)  # odd, and larger than what is seen


def placed(
    shape: Triple = SHAPE,
    grid: Triple = GRID,
    patch: Triple = PATCH,
    spacing: tuple[float, float, float] = (2.0, 1.5, 3.0),
    *,
    axes: str = "zyx",
    codes: str = "LAS",
    turn: object = TILT,
) -> Placement:
    """Return a placement; `grid` and `patch` run along x y z, the network sees them as `axes`."""
    order = ["xyz".index(letter) for letter in axes]
    affine = nib.affines.from_matvec(np.asarray(turn) @ np.diag(spacing), [-31.0, -12.5, 8.25])
    file_affine = space.affine_to_codes(affine, shape, codes)
    source = Source("made.nii.gz", shape, file_affine, codes, "sform")
    data = np.random.default_rng(3).random(shape).astype(np.float32)
    network = NetworkSpec(
        family="vit_3d",
        image_size=space.reordered(grid, order),
        patch=space.reordered(patch, order),
        channels=1,
        classes=2,
        dim=24,
        depth=1,
        heads=3,
        dim_head=8,
        mlp_dim=8,
        pool="cls",
        patch_order="legacy",
        prefix_tokens=1,
    )
    rules = InputSpec(orientation=codes, intensity="none", tensor_axes=axes, fit="crop-pad")
    spec = ModelSpec(name="made", network=network, input=rules, class_names=("a", "b"))
    return Placement(Volume(data, affine, "made", source), spec)


def box(shape: Sequence[int], first: Sequence[int], last: Sequence[int]) -> Mask:
    """Return a mask of a box, its last corner included."""
    inside = np.zeros(shape, dtype=bool)
    inside[tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))] = True
    return inside


def odd_scene(*, seed: int = 0, valid: bool = True, placement: Placement | None = None) -> Scene:
    """Return a scene cropped from its volume; a part of the target does not count."""
    inside = np.ones(SHAPE, dtype=bool)
    inside[:, :, 8:] = False
    return Scene(
        placement or placed(),
        0,
        truth=box(SHAPE, (5, 8, 3), (9, 14, 8)),
        distractor=box(SHAPE, (12, 3, 6), (15, 7, 9)),
        brain=box(SHAPE, (3, 3, 3), (15, 19, 13)),
        valid=inside if valid else None,
        seed=seed,
    )


def cube_scene(size: int = 24, cube: int = 6, patch: int = 4, *, seed: int = 0) -> Scene:
    """Return a plain cube of millimetres with a smaller one in it, off the grid of patches."""
    placement = placed(
        (size,) * 3, (size,) * 3, (patch,) * 3, (1.0, 1.0, 1.0), codes="RAS", turn=np.eye(3)
    )
    first = (size // 3 - 1, size // 2 - 3, size // 4)
    truth = box((size,) * 3, first, [f + cube - 1 for f in first])
    return Scene(placement, 0, truth=truth, seed=seed)
