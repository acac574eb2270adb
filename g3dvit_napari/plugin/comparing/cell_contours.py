"""Lines around what is kept, in every cell of a comparison: one more layer per cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from napari.layers import Image, Layer

from g3dvit_napari.plugin.picture.contour import ROLE, Contour
from g3dvit_napari.plugin.picture.layers import entry_of, role_of

Place = tuple[Image, Layer, float | None]  # a map, the anatomy below it, where it is cut


class CellContours:
    """Draws a contour in each of some cells, or in none.

    A cell of napari's grid is a number of layers that is the same for all: every cell has its
    layer with a line, also where there is nothing to outline.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._contours: dict[Image, Contour] = {}

    @property
    def layers(self) -> list[Layer]:
        """The layers with the lines."""
        found = (contour.layer for contour in self._contours.values())
        return [layer for layer in found if layer is not None]

    def owns(self, layer: Layer) -> bool:
        """Whether a layer, there or just removed, holds one of the lines."""
        mine = {contour.anatomy_id for contour in self._contours.values()}
        return role_of(layer) == ROLE and entry_of(layer).get("anatomy") in mine

    def draw(self, places: Iterable[Place]) -> None:
        """Outline every map where it is cut, now and in every slice that comes."""
        for map_, anatomy, level in places:
            if map_ not in self._contours:
                self._contours[map_] = Contour(self._viewer, anatomy)
            self._contours[map_].draw(map_, level, blocks=False)

    def remove(self, map_: Image | None = None) -> None:
        """Take the line around a map away, or all of them."""
        gone = list(self._contours) if map_ is None else [map_]
        contours = [self._contours.pop(one) for one in gone if one in self._contours]
        for contour in contours:  # nothing knows them any more: removing layers asks again
            contour.remove()
