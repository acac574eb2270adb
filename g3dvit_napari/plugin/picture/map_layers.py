"""The layers that hold a map: added once, found again by their metadata, updated ever after."""

from __future__ import annotations

import re
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from g3dvit_napari.core import space
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.jobs import title_of
from g3dvit_napari.plugin.picture import maps, scenes
from g3dvit_napari.plugin.picture.layers import KEY, Grid, entry_of, grid_of, metadata_of, role_of
from g3dvit_napari.plugin.picture.maps import Resolution

ROLES: dict[Resolution, str] = {"smooth": "relevance", "patches": "patches", "saved": "saved"}
_SUFFIXES: dict[Resolution, str] = {"smooth": "", "patches": " | patches", "saved": " | as saved"}

_NUMBER = re.compile(r" \[\d+\]$")  # what napari puts behind the second of a name


class MapLayers:
    """The map layers over one anatomy; at most one per resolution."""

    def __init__(self, viewer: Any, anatomy: Layer) -> None:
        self._viewer, self._anatomy = viewer, anatomy

    def find(self, resolution: Resolution) -> Image | None:
        """Return our layer by what its metadata says; its name is the user's, and so is a copy."""
        for layer in self._viewer.layers:
            entry = entry_of(layer)
            over = entry.get("anatomy") == str(self._anatomy.unique_id)
            ours = entry.get("layer") == str(layer.unique_id)
            if over and ours and role_of(layer) == ROLES[resolution] and isinstance(layer, Image):
                return layer
        return None

    def all(self) -> list[Image]:
        """Return the map layers there are."""
        return [layer for name in ROLES if (layer := self.find(name)) is not None]

    def draw(self, explanation: Explanation, resolution: Resolution, grid: Grid) -> Image:
        """Bring the map into its layer, adding one when there is none or somebody wrote into it."""
        values, shown = _map(explanation, resolution, grid)
        look = scenes.map_look(explanation.signed, resolution == "patches")
        place = grid.keywords(shown)
        entry = self._entry(explanation, resolution, shown)
        entry["drawn"] = _mark_of(values.transpose())
        layer = self.find(resolution)
        if layer is not None and _touched(layer):
            _leave(layer)
            layer = None
        if layer is None:
            return self._add(values, entry, look | place)
        given = entry_of(layer).get("name")
        if given != entry["name"] and _NUMBER.sub("", layer.name) == given:
            layer.name = entry["name"]
        layer.data = values.transpose()
        _note(layer, {**entry, "layer": str(layer.unique_id)})
        _update(layer, {**place, **{k: look[k] for k in ("rendering", "contrast_limits")}})
        return layer

    def refill(self, explanation: Explanation, resolution: Resolution, grid: Grid) -> None:
        """Bring the map of another frame, on the same grid, into a layer: half the time of `draw`.

        Only the array changes: napari need not look at the whole scene again.
        """
        layer = self.find(resolution)
        values, shown = _map(explanation, resolution, grid)
        same = layer is not None and layer.data.shape == values.shape[::-1]
        if layer is None or not same or _touched(layer):
            self.draw(explanation, resolution, grid)
            return
        _write(layer, values.transpose(), self._entry(explanation, resolution, shown))

    def empty(self) -> None:
        """Leave nothing in any layer but in those that somebody wrote into."""
        for layer in self.all():
            if _touched(layer):
                _leave(layer)
            else:
                _write(layer, np.zeros_like(layer.data), dict(entry_of(layer)))

    def note(self, explanation: Explanation) -> None:
        """Write a request of another threshold into the layers; their data stay."""
        for layer in self.all():
            _note(layer, {**entry_of(layer), "request": asdict(explanation.request)})

    def _add(self, values: NDArray[Any], entry: dict[str, Any], how: dict[str, Any]) -> Image:
        layer = Image(values.transpose(), name=entry["name"], **how)
        _note(layer, {**entry, "layer": str(layer.unique_id)})
        layer.opacity = scenes.MAP_OPACITY[int(self._viewer.dims.ndisplay)]
        self._viewer.add_layer(layer)
        return layer

    def _entry(
        self, explanation: Explanation, resolution: Resolution, shown: space.Affine
    ) -> dict[str, Any]:
        blocks = resolution == "patches" and not _is_native(shown, explanation)
        volume = explanation.patch_map if blocks else explanation.relevance
        name = f"{explanation.target_name} | {title_of(explanation.request.method)}"
        return metadata_of(
            volume,
            ROLES[resolution],
            shown,
            repeated=maps.detail_of(explanation) if blocks else 1,
            name=name + _SUFFIXES[resolution],
            anatomy=str(self._anatomy.unique_id),
            request=asdict(explanation.request),
            target=explanation.target_name,
            probability=explanation.probability,
            status=explanation.status,
            provenance=dict(explanation.provenance),
        )[KEY]


def _note(layer: Image, entry: dict[str, Any]) -> None:
    layer.metadata = {**layer.metadata, KEY: entry}


def _leave(layer: Image) -> None:
    """Leave a layer that somebody wrote into to them, as it is."""
    _note(layer, {**entry_of(layer), "layer": ""})


def _touched(layer: Image) -> bool:
    """Whether somebody wrote into a layer since we did."""
    return _mark_of(layer.data) != entry_of(layer).get("drawn")


def _write(layer: Image, values: NDArray[Any], entry: dict[str, Any]) -> None:
    """Write into a layer's own array."""
    layer.data[...] = values
    _note(layer, {**entry, "layer": str(layer.unique_id), "drawn": _mark_of(layer.data)})
    layer.refresh(thumbnail=False, highlight=False, extent=False)


def _mark_of(data: Any) -> int:
    """Return a number that changes when a value does, also one written in place."""
    values = np.asarray(data)
    return zlib.crc32(np.ravel(values, order="K").view(np.uint8).data)


def _is_native(shown: space.Affine, explanation: Explanation) -> bool:
    return bool(np.allclose(shown, grid_of(explanation.relevance).shown))


def _map(
    explanation: Explanation, resolution: Resolution, grid: Grid
) -> tuple[NDArray[Any], space.Affine]:
    if resolution == "patches":
        return maps.place_patches(maps.patch_map(explanation), explanation, grid)
    source = maps.saved_map if resolution == "saved" else maps.smooth_map
    return source(explanation), grid.shown


def _update(layer: Image, wanted: dict[str, Any]) -> None:
    """Set what differs; every assignment would redraw."""
    for name, value in wanted.items():
        if name in ("units", "axis_labels"):
            continue
        found = getattr(layer, name)
        same = str(found) == value if isinstance(value, str) else np.allclose(found, value)
        if not same:
            setattr(layer, name, value)
