"""The maps of volumes that were explained before: found by their metadata, cut as the present."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from napari.layers import Image

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.picture.colormaps import Edge, base_name, gated, publish
from g3dvit_napari.plugin.picture.layers import KEY, entry_of, role_of
from g3dvit_napari.plugin.picture.map_layers import ROLES

_CUT_BY_COLOURS = (ROLES["smooth"], ROLES["patches"])  # a saved map was cut before it was drawn
_OF_ITSELF = ("value", "none")  # kinds that cut every scaled map alike


def map_layers(viewer: Any) -> Iterator[tuple[str, Image]]:
    """Return our map layers that a cut only colours, each with the id of its anatomy."""
    for layer in viewer.layers:
        if role_of(layer) in _CUT_BY_COLOURS and isinstance(layer, Image):
            yield str(entry_of(layer).get("anatomy", "")), layer


def recolour(
    viewer: Any,
    cuts: Mapping[str, float | None],
    threshold: Threshold,
    edge: Edge,
    *,
    but: str = "",
) -> tuple[int, int]:
    """Cut all maps but those of one anatomy; return how many were, and how many could not be.

    `cuts` holds a cut for each anatomy whose map is known; another map can still be cut
    at a value of its scale.
    """
    changed = left = 0
    for anatomy, layer in map_layers(viewer):
        if anatomy == but:
            continue
        if anatomy in cuts:
            cut = cuts[anatomy]
        elif threshold.kind in _OF_ITSELF:
            cut = threshold.amount if threshold.kind == "value" else None
        else:
            left += 1
            continue
        signed = layer.contrast_limits[0] < 0
        ndisplay = int(viewer.dims.ndisplay)
        base = base_name(layer.colormap)
        edge = "hard" if edge == "contour" else edge  # a line follows the map on show alone
        layer.colormap = publish(gated(base, cut, signed=signed, edge=edge, ndisplay=ndisplay))
        _note(layer, threshold)
        changed += 1
    return changed, left


def _note(layer: Image, threshold: Threshold) -> None:
    entry = entry_of(layer)
    request = {**entry.get("request", {}), "threshold": asdict(threshold)}
    layer.metadata = {**layer.metadata, KEY: {**entry, "request": request}}
