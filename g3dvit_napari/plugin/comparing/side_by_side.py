"""The comparison that is shown, if any: it comes, it follows threshold and edge, it goes."""

from __future__ import annotations

from typing import Any, cast

from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.comparing.comparison import Comparison
from g3dvit_napari.plugin.comparing.difference import Difference
from g3dvit_napari.plugin.comparing.jobs import Compared
from g3dvit_napari.plugin.comparing.kinds import SCALE, Kind, ScaleName
from g3dvit_napari.plugin.comparing.scale import OWN, Scale, common_scale
from g3dvit_napari.plugin.leftovers import clear_away_soon
from g3dvit_napari.plugin.picture.colormaps import Edge
from g3dvit_napari.plugin.picture.crosshair import Point
from g3dvit_napari.plugin.picture.overlay import Overlay


class SideBySide(QObject):
    """At most one comparison; the overlay of the single map gives way to it."""

    changed = Signal(bool)  # a comparison is shown, or has ended
    difference_changed = Signal(object)  # Difference, or None

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._comparison: Comparison | None = None
        self._overlay: Overlay | None = None
        self._edge: Edge = "hard"
        self.scales: dict[Kind, ScaleName] = dict(SCALE)
        self.compared: Compared | None = None
        self.difference: Difference | None = None

    @property
    def shown(self) -> bool:
        """Whether a comparison is shown."""
        return self._comparison is not None

    @property
    def scale_name(self) -> ScaleName:
        """Which scale is in use, or would be."""
        return self.scales[self.compared.kind if self.compared else "methods"]

    @property
    def scale(self) -> Scale:
        """What 1 stands for in the cells."""
        if self.compared is None or self.scale_name == "own":
            return OWN
        return common_scale(self.compared.titled)

    @property
    def difference_layer(self) -> Layer | None:
        """The layer of the difference that is shown, if any."""
        return self._comparison.difference if self._comparison else None

    def show(
        self, layer: Layer, compared: Compared, threshold: Threshold, overlay: Overlay
    ) -> None:
        """Show titled explanations of a layer's volume in place of what is shown now."""
        self.end()
        self._overlay, self.compared = overlay, compared
        overlay.give_way(True)
        self._comparison = Comparison(
            self._viewer, layer, compared.titled, threshold, self._edge, scale=self.scale
        )
        self.changed.emit(True)

    def show_difference(self, difference: Difference) -> None:
        """Show the difference of two maps in a cell of its own."""
        if self._comparison is not None:
            self._comparison.show_difference(difference)
            self.difference = difference
            self.difference_changed.emit(difference)

    def end(self) -> None:
        """Show one map again."""
        if self._comparison is None:
            return
        comparison, self._comparison = self._comparison, None  # removing layers asks again
        comparison.close()
        if self._overlay is not None:
            self._overlay.give_way(False)
        self._overlay = self.compared = None
        self._forget_difference()
        self.changed.emit(False)
        clear_away_soon()  # the captions and letters of all cells

    def forget(self) -> None:
        """Let go without touching the viewer, which may be gone."""
        self._comparison = self._overlay = self.compared = self.difference = None

    def set_threshold(self, threshold: Threshold) -> None:
        """Cut all maps."""
        if self._comparison is not None:
            self._comparison.set_threshold(threshold)

    def set_edge(self, edge: str) -> None:
        """End all maps sharply, softly or with a line around them, now and later."""
        self._edge = cast(Edge, edge)
        if self._comparison is not None:
            self._comparison.set_edge(self._edge)

    def set_crosshair(self, lines: bool, peak: Point | None) -> None:
        """Draw lines through the point of the slices, and a ring around a peak, in all cells."""
        if self._comparison is not None:
            self._comparison.set_crosshair(lines, peak)

    def set_scale(self, name: ScaleName) -> None:
        """Draw what is shown, and its kind from now on, on the common scale or on scales of own."""
        if self._comparison is None or self.compared is None:
            return
        self.scales[self.compared.kind] = name
        self._comparison.set_scale(self.scale)
        self._forget_difference()

    def lost(self, layer: Layer) -> None:
        """End when a layer that it needs was removed."""
        if self._comparison is None:
            return
        if self._comparison.needs(layer):
            self.end()
        elif self._comparison.lost(layer):
            self._forget_difference()

    def _forget_difference(self) -> None:
        if self.difference is not None:
            self.difference = None
            self.difference_changed.emit(None)
