"""Which layers of a viewer can be explained, and which of them is chosen in the form."""

from __future__ import annotations

from typing import Any

from napari.layers import Layer

from g3dvit_napari.plugin.asking.volume_box import VolumeBox
from g3dvit_napari.plugin.picture.layers import is_volume


def explainable(viewer: Any) -> dict[str, Layer]:
    """Return the layers that can be explained by key, the topmost first."""
    layers = reversed(list(viewer.layers))
    return {str(layer.unique_id): layer for layer in layers if is_volume(layer)}


def chosen_layer(viewer: Any, box: VolumeBox) -> Layer | None:
    """Return the layer that is chosen in the form, if any."""
    return explainable(viewer).get(box.layer or "")
