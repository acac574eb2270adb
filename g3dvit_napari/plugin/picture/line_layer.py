"""Layers of lines that are drawn by us: as wide on the screen however near the camera is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from napari.layers import Layer, Vectors

from g3dvit_napari.plugin.picture.layers import KEY, entry_of

HELD = "held"  # our entry: the lines grow with the camera's zoom for now


def line_layer(
    name: str, entry: dict[str, Any], place: dict[str, Any], width: float, color: str
) -> Vectors:
    """Return an empty layer of lines that knows by its metadata whose it is."""
    return Vectors(
        np.empty((0, 2, 3)),
        ndim=3,
        name=name,
        metadata={KEY: {**entry, "name": name}},
        vector_style="line",
        edge_width=width,
        edge_color=color,
        opacity=1.0,
        blending="translucent_no_depth",
        **place,
    )


def insert_quietly(viewer: Any, layer: Layer, index: int) -> None:
    """Add a layer at a place in the list, and leave the selection as it is."""
    selection = viewer.layers.selection
    selected, active = set(selection), selection.active
    viewer.layers.insert(index, layer)
    viewer.layers.selection = selected
    selection.active = active


def is_held(layer: Layer) -> bool:
    """Whether a layer's lines may grow with the camera's zoom."""
    return bool(entry_of(layer).get(HELD))


@contextmanager
def growing(viewer: Any) -> Iterator[None]:
    """Let all lines of ours grow with the camera's zoom, as in a larger picture of the same."""
    lines = [layer for layer in viewer.layers if isinstance(layer, Vectors) and entry_of(layer)]
    for layer in lines:
        layer.metadata = {**layer.metadata, KEY: {**entry_of(layer), HELD: True}}
    try:
        yield
    finally:
        for layer in lines:
            layer.metadata = {**layer.metadata, KEY: {**entry_of(layer), HELD: False}}
