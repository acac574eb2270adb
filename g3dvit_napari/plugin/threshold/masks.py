"""Layers that can serve as a mask, and their values on the grid of a map."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from g3dvit_napari.core.types import Volume
from g3dvit_napari.plugin.picture.layers import is_volume, volume_of

_EVERY = 3  # voxels are looked at to tell a mask from an image


def is_mask(layer: Layer) -> bool:
    """Whether a layer marks places: labels, or an image of two values at most."""
    if isinstance(layer, Labels):
        return layer.ndim == 3 and not layer.multiscale
    if not is_volume(layer) or layer.ndim != 3 or layer.multiscale:
        return False
    few = np.asarray(layer.data[::_EVERY, ::_EVERY, ::_EVERY])
    return len(np.unique(few)) <= 2


def mask_on(layer: Layer, volume: Volume) -> NDArray[np.bool_]:
    """Return where a mask is above zero, on the grid of a volume (x y z), by the nearest voxel."""
    mask = volume_of(_as_image(layer), "mean")
    pull = np.linalg.inv(mask.affine) @ volume.affine
    inside = (mask.data > 0).astype(np.uint8)
    if mask.shape == volume.shape and np.allclose(pull, np.eye(4), atol=1e-4):
        return inside.astype(bool)
    found: NDArray[Any] = affine_transform(inside, pull, output_shape=volume.shape, order=0)
    return found.astype(bool)


def _as_image(layer: Layer) -> Image:
    if isinstance(layer, Image):
        return layer
    place = {name: getattr(layer, name) for name in ("scale", "translate", "rotate", "shear")}
    return Image(
        np.asarray(layer.data),
        affine=layer.affine,
        units=layer.units,
        metadata=layer.metadata,
        contrast_limits=(0, 1),
        **place,
    )
