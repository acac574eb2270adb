"""Label images that lie in the viewer as layers of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.layers import Labels, Layer

from g3dvit_napari.core.atlas import Atlas, atlas_of
from g3dvit_napari.core.types import Volume
from g3dvit_napari.plugin.picture.layers import Grid, canonical, drawn_affine


def labels_in(viewer: Any) -> Mapping[str, Labels]:
    """Return the layers that can name regions, the topmost first."""
    layers = [layer for layer in reversed(list(viewer.layers)) if _is_labels(layer)]
    return {str(layer.unique_id): layer for layer in layers}


def _is_labels(layer: Layer) -> bool:
    return isinstance(layer, Labels) and layer.ndim == 3 and not layer.multiscale


def atlas_from(layer: Labels, grid: Grid | None) -> Atlas:
    """Return the regions of a layer, as drawn over a volume on a grid.

    Where the volume's tilt is not drawn, neither is that of what was painted on it: both are tilted
    back together.
    """
    affine = drawn_affine(layer)
    if grid is not None:
        affine = grid.true @ np.linalg.inv(grid.shown) @ affine
    volume = Volume(np.array(layer.data).transpose(), affine, str(layer.name))
    return atlas_of(canonical(volume), _names(layer))


def _names(layer: Labels) -> dict[int, str]:
    """Return the names that the layer's table of features has in its columns index and name."""
    table = layer.features
    if not {"index", "name"} <= set(table.columns):
        return {}
    return {
        int(index): str(name) for index, name in zip(table["index"], table["name"], strict=True)
    }
