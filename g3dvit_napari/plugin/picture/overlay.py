"""One explanation over one anatomy: the layers, the gate on them, and everything around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Layer

from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.picture import legend, maps
from g3dvit_napari.plugin.picture.colormaps import (
    SIGNED,
    SMALLEST_CUT,
    UNSIGNED,
    Edge,
    base_name,
    gated,
    publish,
)
from g3dvit_napari.plugin.picture.contour import Contour
from g3dvit_napari.plugin.picture.layers import Grid, entry_of, grid_over
from g3dvit_napari.plugin.picture.map_layers import ROLES, MapLayers
from g3dvit_napari.plugin.picture.maps import Resolution
from g3dvit_napari.plugin.picture.scenes import Scenes, View

SETTINGS = (  # each has a `set_...`
    *("edge", "resolution", "unsigned_colours", "signed_colours"),
    *("colorbar", "scale_bar", "caption"),
)


class Overlay:
    """Draws explanations of one volume layer; owns the layers it adds, and only those.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    volume_layer
        The image layer whose volume is explained.
    """

    def __init__(self, viewer: Any, volume_layer: Layer) -> None:
        self._viewer, self._anatomy = viewer, volume_layer
        self._maps = MapLayers(viewer, volume_layer)
        self._explanation: Explanation | None = None
        self._grid: Grid | None = None
        self._bases = {False: UNSIGNED, True: SIGNED}  # the colour map of signed maps or not
        self._bar = True
        self._gating = self._away = False
        self._contour = Contour(viewer, volume_layer)
        self._nothing = ""  # why no map is shown, while there is none for what is on the canvas
        self.cut: float | None = None
        self.edge: Edge = "hard"
        self.resolution: Resolution = "smooth"
        self._legend = legend.Legend(viewer)
        self._scenes = Scenes(viewer, volume_layer, self._maps.all, self._gate)
        for layer in self._maps.all():
            layer.events.colormap.connect(self._on_colormap_changed)

    @property
    def layer(self) -> Image | None:
        """The layer on show now, if any."""
        return self._maps.find(self.resolution)

    def layers(self) -> list[Image]:
        """Return the map layers there are, shown or not."""
        return self._maps.all()

    @property
    def unit_mm(self) -> tuple[float, ...]:
        """Millimetres per unit of the world's axes (z y x)."""
        return self._grid.unit_mm if self._grid is not None else (1.0, 1.0, 1.0)

    @property
    def explanation(self) -> Explanation | None:
        """What is shown now."""
        return self._explanation

    @property
    def blank(self) -> bool:
        """Whether no map is shown, because there is none for what is on the canvas."""
        return bool(self._nothing)

    @property
    def caption(self) -> str:
        """The words on the canvas."""
        return self._legend.text

    def show(self, explanation: Explanation) -> Image:
        """Show an explanation of our layer's volume, adding a layer when there is none."""
        self._explanation, self.cut, self._nothing = explanation, explanation.cut, ""
        self._grid = grid_over(self._anatomy, explanation.relevance)
        layer = self._draw(self.resolution)
        for other in ROLES:
            if other != self.resolution and self._maps.find(other) is not None:
                self._draw(other)
        self._gate()
        return layer

    def swap(self, explanation: Explanation) -> None:
        """Show another frame of the same series at once: only the layer on show is redrawn."""
        if self._grid is None or self.layer is None:
            self.show(explanation)
            return
        self._explanation, self.cut, self._nothing = explanation, explanation.cut, ""
        self._maps.refill(explanation, self.resolution, self._grid)
        self._gate()

    def show_nothing(self, why: str) -> None:
        """Leave every map empty and say why, until the next `show` or `swap`."""
        self._nothing = why
        self._maps.empty()
        self._gate()

    def recut(self, explanation: Explanation) -> None:
        """Take the explanation on show, cut elsewhere: of all data only the saved map's change."""
        self._explanation, self.cut = explanation, explanation.cut
        self._maps.note(explanation)
        if self._maps.find("saved") is not None:
            self._draw("saved")
        self._gate()

    def set_cut(self, value: float | None) -> None:
        """Hide what is below `value` (0 to 1, absolute for signed maps); only colours change.

        The map as saved was cut before it was drawn: it waits for `recut`.
        """
        self.cut = value
        if self.resolution != "saved":
            self._gate()

    def set_edge(self, edge: Edge) -> None:
        """End the map sharply at the cut, let it fade below, or draw a line around it."""
        self.edge = edge
        self._gate()

    def set_unsigned_colours(self, name: str) -> None:
        """Choose the colours of maps that run from 0 to 1; the gate stays."""
        self._bases[False] = name
        self._gate()

    def set_signed_colours(self, name: str) -> None:
        """Choose the colours of maps that run from -1 to 1; the gate stays."""
        self._bases[True] = name
        self._gate()

    def set_resolution(self, resolution: Resolution) -> None:
        """Show the smooth map, the blocks that the network resolved, or the map as saved."""
        self.resolution = resolution
        if self._explanation is None:
            return
        if self._maps.find(resolution) is None:
            self._draw(resolution)
        for name in ROLES:
            layer = self._maps.find(name)
            if layer is not None:
                layer.visible = name == resolution
        self._gate()

    def set_view(self, view: View) -> None:
        """Show slices or the whole volume, each with settings that suit it."""
        self._scenes.show(view)

    def give_way(self, to_a_grid: bool) -> None:
        """Leave the canvas to a comparison: no caption, no line around the map; or come back."""
        self._away = to_a_grid
        self._legend.give_way(to_a_grid)
        self._outline()

    def set_scale_bar(self, visible: bool) -> None:
        """Show or hide the scale bar."""
        self._legend.show_scale_bar(visible)

    def set_caption(self, visible: bool) -> None:
        """Show or hide the caption."""
        self._legend.show_caption(visible)

    def set_colorbar(self, visible: bool) -> None:
        """Show or hide the colour bar; the cut is a gap in it."""
        self._bar = visible
        for layer in self._maps.all():
            legend.show_colorbar(layer, visible)

    def jump_to_peak(self) -> tuple[float, float, float] | None:
        """Move the slices to the strongest point; return it as (x, y, z) mm, None if all is 0."""
        layer = self.layer
        if layer is None or not np.any(layer.data):
            return None
        index = np.array(np.unravel_index(np.argmax(np.abs(layer.data)), layer.data.shape))
        block = int(entry_of(layer).get("repeated", 1))
        centre = index // block * block + (block - 1) / 2
        world = layer.data_to_world(tuple(centre))[-3:]
        dims = self._viewer.dims
        dims.set_point(range(dims.ndim - 3, dims.ndim), world)
        z, y, x = (float(w) for w in world)
        return x, y, z

    def close(self) -> None:
        """Leave the viewer as it was found; the maps stay, they are the user's now."""
        if self.edge == "contour":  # a line would no longer follow the slices
            self.set_edge("hard")
        self._contour.remove()  # also where its map went first
        self._scenes.close()
        self._legend.close()
        for layer in self._maps.all():
            layer.events.colormap.disconnect(self._on_colormap_changed)

    def _draw(self, resolution: Resolution) -> Image:
        if self._explanation is None or self._grid is None:
            raise RuntimeError("nothing to draw: call show() first")
        before = self._maps.find(resolution)
        layer = self._maps.draw(self._explanation, resolution, self._grid)
        if layer is not before:
            if before is not None:  # somebody wrote into it: it is theirs now
                before.events.colormap.disconnect(self._on_colormap_changed)
            legend.show_colorbar(layer, self._bar)
            layer.events.colormap.connect(self._on_colormap_changed)
        if self._nothing:
            self._maps.empty()
        return layer

    def _gate(self) -> None:
        """Renew the colour map of the layer on show, and the words beside it."""
        layer = self.layer
        if layer is None:
            return
        signed = layer.contrast_limits[0] < 0
        cut = None if self.resolution == "saved" else self.cut
        ndisplay = int(self._viewer.dims.ndisplay)
        self._gating = True
        try:
            layer.colormap = publish(
                gated(self._bases[signed], cut, signed=signed, edge=self.edge, ndisplay=ndisplay)
            )
        finally:
            self._gating = False
        self._outline()
        self._write_caption(signed)

    def _outline(self) -> None:
        """Draw the line around what is kept, where one is wanted and can be drawn."""
        layer, flat = self.layer, int(self._viewer.dims.ndisplay) == 2
        wanted = self.edge == "contour" and self.resolution != "saved" and not self._away
        if layer is None or self.cut is None or not (wanted and flat):
            self._contour.remove()
            return
        level = max(self.cut, SMALLEST_CUT)
        self._contour.draw(layer, level, blocks=self.resolution == "patches")

    def _write_caption(self, signed: bool) -> None:
        if self._explanation is None or self._grid is None:
            return
        if self._nothing:
            self._legend.write(self._nothing)
            return
        shown = legend.words_for_cut(self.cut, signed)
        saved = legend.words_for_threshold(self._explanation.request.threshold)
        if self.resolution == "saved":
            shown = f"as saved: {saved}"
        elif self.resolution == "smooth" and maps.saved_differs(self._explanation):
            shown += f"\nwhen saved: {saved}"
        if self.edge == "contour" and int(self._viewer.dims.ndisplay) == 3:
            shown += "\n(contour in slices only)"
        self._legend.write(legend.caption(self._explanation, shown, self._grid.badge))

    def _on_colormap_changed(self, event: object = None) -> None:
        """Put the gate on a colour map that the user chose in napari's own controls."""
        del event
        layer = self.layer
        if not self._gating and layer is not None:
            self._bases[bool(layer.contrast_limits[0] < 0)] = base_name(layer.colormap)
            self._gate()
