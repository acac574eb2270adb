"""A thick slice: the strongest relevance, over the mean of the anatomy, of so many millimetres."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from napari.layers import Image, Layer

from g3dvit_napari.plugin.picture.planes import SPATIAL

THICKNESS_MM = 20.0


class Slab:
    """Thickens the slices of one anatomy and its maps; `close` makes them thin again.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    anatomy
        The layer below the maps.
    maps
        Returns the map layers there are now.
    unit_mm
        Millimetres per unit of the world's last three axes.
    """

    def __init__(
        self,
        viewer: Any,
        anatomy: Layer,
        maps: Callable[[], Iterable[Layer]],
        unit_mm: tuple[float, ...] = (1.0,) * SPATIAL,
    ) -> None:
        self._viewer, self._anatomy, self._maps, self._unit_mm = viewer, anatomy, maps, unit_mm
        self._margins = tuple(viewer.dims.margin_left), tuple(viewer.dims.margin_right)
        self._modes: dict[Image, str] = {}
        self.include_new()

    def include_new(self) -> None:
        """Project the layers that have come since."""
        if isinstance(self._anatomy, Image):
            self._project(self._anatomy, "mean")
        for layer in self._maps():
            if isinstance(layer, Image):
                # The maximum of a signed map would hide all that speaks against the class.
                self._project(layer, "mean" if layer.contrast_limits[0] < 0 else "max")

    def set_thickness(self, millimetres: float) -> None:
        """Take as many millimetres into a slice, half of them on either side."""
        dims = self._viewer.dims
        others = (0.0,) * (dims.ndim - SPATIAL)
        dims.thickness = (*others, *(millimetres / unit for unit in self._unit_mm))

    def close(self) -> None:
        """Leave slices and layers as they were found."""
        dims = self._viewer.dims
        if len(self._margins[0]) == dims.ndim:
            dims.margin_left, dims.margin_right = self._margins
        else:  # a series came or went meanwhile
            dims.thickness = (0.0,) * dims.ndim
        for layer, mode in self._modes.items():
            layer.projection_mode = mode
        self._modes = {}

    def _project(self, layer: Image, mode: str) -> None:
        if layer not in self._modes:
            self._modes[layer] = str(layer.projection_mode)
            layer.projection_mode = mode
