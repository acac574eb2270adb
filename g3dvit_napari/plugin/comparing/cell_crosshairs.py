"""Crosshair and peak ring in every cell of a comparison: one more layer per cell, or none."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from napari.layers import Image, Layer

from g3dvit_napari.plugin.picture import contour
from g3dvit_napari.plugin.picture.crosshair import Crosshair, Point, hidden_axis, is_over
from g3dvit_napari.plugin.picture.layers import role_of


class CellCrosshairs:
    """Draws the same lines and the same ring in each of some cells.

    As with contours every cell has its layer, also where no ring lies in the slice.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._crosshairs: dict[Image, Crosshair] = {}
        self._lines = False
        self._peak: Point | None = None

    @property
    def wanted(self) -> bool:
        """Whether cells have such a layer: in slices, where lines or a ring are switched on."""
        flat = int(self._viewer.dims.ndisplay) == 2
        asked = self._lines or self._peak is not None
        return flat and asked and hidden_axis(self._viewer) is not None

    @property
    def layers(self) -> list[Layer]:
        """The layers with the lines."""
        found = (crosshair.layer for crosshair in self._crosshairs.values())
        return [layer for layer in found if layer is not None]

    def owns(self, layer: Layer) -> bool:
        """Whether a layer is one of these, there or just removed by somebody else."""
        crosshairs = self._crosshairs.values()
        return any(is_over(layer, one.anatomy_id) and not one.removing for one in crosshairs)

    def choose(self, lines: bool, peak: Point | None) -> None:
        """Take note of what is wanted; `draw` draws it."""
        self._lines, self._peak = lines, peak

    def draw(self, places: Iterable[tuple[Image, Layer]]) -> None:
        """Draw over every map, with the anatomy below it, what is wanted."""
        if not self.wanted:
            self.remove()
            return
        for map_, anatomy in places:
            if map_ not in self._crosshairs:
                above = partial(self._above, map_)
                self._crosshairs[map_] = Crosshair(self._viewer, anatomy, above)
            self._crosshairs[map_].show(self._lines, self._peak)

    def remove(self, map_: Image | None = None) -> None:
        """Take what lies over a map away, or all."""
        gone = list(self._crosshairs) if map_ is None else [map_]
        crosshairs = [self._crosshairs.pop(one) for one in gone if one in self._crosshairs]
        for crosshair in crosshairs:  # nothing knows them any more: removing layers asks again
            crosshair.close()

    def _above(self, map_: Image) -> int:
        """Return the place above a map and the line around it."""
        layers = self._viewer.layers
        place = layers.index(map_) + 1
        lined = place < len(layers) and role_of(layers[place]) == contour.ROLE
        return place + int(lined)
