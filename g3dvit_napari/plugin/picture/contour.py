"""A line around what a cut keeps, in the slice on show: a layer of ours that follows the slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Layer, Vectors
from numpy.typing import NDArray

from g3dvit_napari.plugin.picture.layers import KEY, entry_of, role_of
from g3dvit_napari.plugin.picture.line_layer import insert_quietly, is_held, line_layer
from g3dvit_napari.plugin.picture.outline import block_outline, smooth_outline

Array = NDArray[Any]
ROLE = "contour"
SUFFIX = " | contour"
PIXELS = 2.0  # the line's width on the screen, however near the camera is
FOR, AGAINST = "#ffffff", "#58e1ff"  # what speaks for the class, and against it


class Contour:
    """Draws the outline of one map at a cut; at most one layer per anatomy, removed after use.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    anatomy
        The layer that was explained.
    """

    def __init__(self, viewer: Any, anatomy: Layer) -> None:
        self._viewer, self.anatomy_id = viewer, str(anatomy.unique_id)
        self._map: Image | None = None
        self._level: float | None = None
        self._blocks = False

    @property
    def layer(self) -> Vectors | None:
        """The layer with the line, found by its metadata."""
        for layer in self._viewer.layers:
            mine = entry_of(layer).get("anatomy") == self.anatomy_id
            if mine and role_of(layer) == ROLE and isinstance(layer, Vectors):
                return layer
        return None

    def draw(self, map_layer: Image, level: float | None, *, blocks: bool) -> None:
        """Draw the outline of a map layer at a level, now and in every slice that comes.

        Blocks are outlined along their borders, smooth maps where they cross the level; without a
        level the layer is there, and empty.
        """
        if self._map is not map_layer:
            self.remove()  # a line around another map lies elsewhere, and below
            for event in self._movements():
                event.connect(self._on_moved)
            self._viewer.scene.camera.events.zoom.connect(self._on_zoomed)
        self._map, self._level, self._blocks = map_layer, level, blocks
        self._on_moved()

    def remove(self) -> None:
        """Take the line away, and follow no longer."""
        if self._map is not None:
            self._map = None
            for event in self._movements():
                event.disconnect(self._on_moved)
            self._viewer.scene.camera.events.zoom.disconnect(self._on_zoomed)
        layer = self.layer
        if layer is not None:
            self._viewer.layers.remove(layer)

    def _movements(self) -> tuple[Any, ...]:
        return self._viewer.dims.events.point, self._viewer.dims.events.order

    def _on_moved(self, event: object = None) -> None:
        del event
        there = self._map is not None and self._map in self._viewer.layers
        if self._map is None or not there or int(self._viewer.dims.ndisplay) != 2:
            return
        lines, against = self._lines(self._map)
        layer = self.layer or self._add(self._map)
        step = _step_of(self._map)
        if layer.name == entry_of(layer).get("name"):
            self._rename(layer, self._map)
        lines = lines * (_scale_of(self._map) / step)
        layer.data = np.stack([lines[:, 0], lines[:, 1] - lines[:, 0]], axis=1)
        if against.any():
            layer.edge_color = [AGAINST if one else FOR for one in against]
        elif len(lines):
            layer.edge_color = FOR

    def _on_zoomed(self, event: object = None) -> None:
        del event
        layer = self.layer
        if layer is not None and self._map is not None and not is_held(layer):
            layer.edge_width = self._width(self._map)

    def _width(self, map_layer: Image) -> float:
        return PIXELS / max(float(self._viewer.scene.camera.zoom), 1e-6) / _step_of(map_layer)

    def _add(self, map_layer: Image) -> Vectors:
        """Add the layer right above the map and leave the selection as it is."""
        place: dict[str, Any] = {"units": map_layer.units, "axis_labels": map_layer.axis_labels}
        if _is_plain(map_layer):
            place |= {"scale": (_step_of(map_layer),) * 3, "translate": map_layer.translate}
        else:
            place |= {"affine": map_layer.affine}
        name, entry = map_layer.name + SUFFIX, {"role": ROLE, "anatomy": self.anatomy_id}
        layer = line_layer(name, entry, place, self._width(map_layer), FOR)
        insert_quietly(self._viewer, layer, self._viewer.layers.index(map_layer) + 1)
        return layer

    @staticmethod
    def _rename(layer: Vectors, map_layer: Image) -> None:
        """Follow the name of the map, which says what is explained."""
        name = map_layer.name + SUFFIX
        if layer.name != name:
            layer.name = name
            entry = {**entry_of(layer), "name": layer.name}
            layer.metadata = {**layer.metadata, KEY: entry}

    def _lines(self, map_layer: Image) -> tuple[Array, NDArray[np.bool_]]:
        """Return pieces (n, 2, z y x) in the map's indices, and which speak against the class."""
        axis, index = self._slice_of(map_layer)
        level = self._level
        if level is None or axis is None or not 0 <= index < map_layer.data.shape[axis]:
            return np.empty((0, 2, 3)), np.zeros(0, bool)
        plane = np.take(map_layer.data, index, axis)
        found = [self._outline(plane, level)]
        if map_layer.contrast_limits[0] < 0:
            found.append(self._outline(-plane, level))
        against = np.repeat([False, True][: len(found)], [len(one) for one in found])
        return np.insert(np.concatenate(found), axis, index, axis=2), against

    def _outline(self, plane: Array, level: float) -> Array:
        if self._blocks:
            return block_outline(plane >= level)
        return smooth_outline(plane, level)

    def _slice_of(self, map_layer: Image) -> tuple[int | None, int]:
        """Return which axis of the map is not displayed, and where it is cut."""
        dims = self._viewer.dims
        series = dims.ndim - map_layer.ndim  # axes that the map does not have, such as time
        hidden = [axis - series for axis in dims.not_displayed if axis >= series]
        if len(hidden) != 1:
            return None, 0
        place = map_layer.world_to_data(dims.point[series:])
        return hidden[0], round(float(place[hidden[0]]))


def _is_plain(layer: Image) -> bool:
    """Whether a layer is placed by scale and offset alone."""
    return bool(np.allclose(layer.affine.affine_matrix, np.eye(layer.ndim + 1)))


def _scale_of(layer: Image) -> Array:
    return np.array(layer.scale) if _is_plain(layer) else np.ones(3)


def _step_of(layer: Image) -> float:
    """Return the one step of the contour's grid: equal along all axes, so lines have one width.

    Not below the map's largest, because the smallest step of all layers is that of the sliders.
    """
    return float(_scale_of(layer).max())
