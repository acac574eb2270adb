"""Volumes with a marker in the left hemisphere, and explanations of them made without a network."""

from __future__ import annotations

from collections.abc import Callable

import nibabel as nib
import numpy as np

from g3dvit_napari.core import space
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import (
    Explanation,
    ExplanationRequest,
    Prediction,
    Source,
    Threshold,
    Volume,
)

MARKER = np.array([-24.0, 12.0, 18.0])  # left, in front, above


def head(
    stored: str = "RAS",
    tilt_degrees: float = 0.0,
    spacing: tuple[float, float, float] = (4.0, 3.5, 4.5),
) -> Volume:
    """Return an ellipsoid around the world's origin, as reading a file stored so would."""
    shape = (33, 41, 27)
    turn = nib.eulerangles.euler2mat(0, np.radians(tilt_degrees), 0)
    linear = turn @ np.diag(spacing)
    affine = nib.affines.from_matvec(linear, -linear @ ((np.array(shape) - 1) / 2))
    x, y, z = (np.linspace(-1.15, 1.15, n) for n in shape)
    radius = np.sqrt(x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None] ** 2)
    data = np.clip(1.3 - radius, 0, 0.5).astype(np.float32) * 1000
    source = Source(
        "head.nii", shape, space.affine_to_codes(affine, shape, stored), stored, "sform"
    )
    return Volume(data, affine, "head", source)


def blob(centres: np.ndarray, at: np.ndarray = MARKER, width: float = 12.0) -> np.ndarray:
    """Return a Gaussian around a place in the world, at points (3, ...)."""
    away = centres - at.reshape(3, *[1] * (centres.ndim - 1))
    return np.exp(-(away**2).sum(axis=0) / (2 * width**2))


def world_of(volume: Volume) -> np.ndarray:
    """Return the world coordinates (3, x, y, z) of all voxel centres."""
    indices = np.indices(volume.shape).reshape(3, -1)
    places = volume.affine[:3, :3] @ indices + volume.affine[:3, 3:]
    return places.reshape(3, *volume.shape)


def explanation_of(
    volume: Volume,
    values: Callable[[np.ndarray], np.ndarray] = blob,
    *,
    signed: bool = False,
    threshold: Threshold | None = None,
    target: int = 1,
    status: str = "ok",
    patch: tuple[int, int, int] = (5, 5, 4),
) -> Explanation:
    """Explain a volume by a function of the patch centres' world coordinates."""
    # One voxel of the volume is cropped away on each side, so nothing lines up by accident.
    grid = tuple((n - 2) // p * p for n, p in zip(volume.shape, patch, strict=True))
    rules = {
        "orientation": "LAS",
        "intensity": "none",
        "tensor_axes": "zxy",
        "crop_start": (1,) * 3,
    }
    order = ["xyz".index(letter) for letter in "zxy"]
    spec = ModelSpec(
        network=NetworkSpec(
            image_size=tuple(grid[a] for a in order), patch=tuple(patch[a] for a in order)
        ),
        input=InputSpec.model_validate(rules),
    )
    placement = Placement(volume, spec)
    empty = placement.patch_volume(np.zeros(spec.network.token_grid))
    cells = space.to_codes(values(world_of(empty)), placement.codes).transpose(order)
    scaled = ScaledMap(placement, cells / np.abs(cells).max(), signed)
    threshold = threshold or Threshold("value", 0.5, "voxels")
    shown, cut = scaled.shown(threshold)
    return Explanation(
        request=ExplanationRequest("g3dvit", target, {"pooling": "mean"}, threshold),
        prediction=Prediction((-1.0, 2.0), (0.05, 0.95), ("healthy", "lesion")),
        patch_map=placement.patch_volume(cells),
        relevance=volume.like(shown, "relevance"),
        field_of_view=volume.like(placement.field_of_view),
        scaled=scaled,
        target=target,
        cut=cut,
        status=status,  # type: ignore[arg-type]
        message="" if status == "ok" else "The map is zero everywhere.",
        seconds=0.1,
        provenance={},
    )
