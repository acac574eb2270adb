"""Several maps of one volume side by side: a cell each in napari's grid, under one threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.layers import Image, Layer

from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.plugin.picture import maps, scenes
from g3dvit_napari.plugin.picture.colormaps import SIGNED, UNSIGNED, Edge, gated
from g3dvit_napari.plugin.picture.layers import KEY, grid_over, metadata_of

ROLE = "compared"
SPACING = 6  # pixels between two cells
TITLE_SIZE, BAR_SIZE = 11, (12, 90)


class Comparison:
    """Shows explanations of one layer's volume; owns the layers it adds, and only those.

    All maps share one scale, each from 0 to 1 of its own largest value (signed: -1 to 1), and one
    threshold. What was on the screen is hidden meanwhile and comes back.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    anatomy
        The image layer that was explained.
    titled
        A title and an explanation per cell, first the one at the top left.
    threshold, edge
        Where the maps are cut, and how they end there.
    """

    def __init__(
        self,
        viewer: Any,
        anatomy: Layer,
        titled: Sequence[tuple[str, Explanation]],
        threshold: Threshold,
        edge: Edge = "hard",
    ) -> None:
        self._viewer, self._anatomy, self.edge = viewer, anatomy, edge
        self._shown_before = [layer for layer in viewer.layers if layer.visible]
        self._selected_before = set(viewer.layers.selection)
        grid = viewer.canvas.grid
        self._grid_before = (grid.enabled, grid.stride, grid.spacing)
        for layer in self._shown_before:
            layer.visible = False
        self._maps: list[tuple[Image, Explanation]] = []
        self._anatomies: list[Layer] = []
        for title, explanation in reversed(titled):  # the last pair added fills the first cell
            self._add(title, explanation)
        self.set_threshold(threshold)
        # Counted from the end, pairs stay together however many layers lie below them.
        grid.stride, grid.spacing, grid.enabled = -2, SPACING, True
        viewer.dims.events.ndisplay.connect(self._on_ndisplay_changed)
        viewer.fit_to_view()

    @property
    def layers(self) -> list[Layer]:
        """The layers of this comparison that are still there."""
        mine = [*self._anatomies, *(layer for layer, _ in self._maps)]
        return [layer for layer in mine if layer in self._viewer.layers]

    def needs(self, layer: Layer) -> bool:
        """Whether it cannot go on without a layer: one of its own, or the one explained."""
        mine = [self._anatomy, *self._anatomies, *(map_ for map_, _ in self._maps)]
        return any(layer is one for one in mine)

    def set_edge(self, edge: Edge) -> None:
        """End the maps sharply at the cut, or let them fade below."""
        self.edge = edge
        self.set_threshold(self._threshold)

    def set_threshold(self, threshold: Threshold) -> None:
        """Cut every map at its own value for this threshold; only colours change."""
        self._threshold = threshold
        ndisplay = int(self._viewer.dims.ndisplay)
        for layer, explanation in self._maps:
            base, signed = SIGNED if explanation.signed else UNSIGNED, explanation.signed
            cut = explanation.scaled.cut(threshold)
            layer.colormap = gated(base, cut, signed=signed, edge=self.edge, ndisplay=ndisplay)

    def close(self) -> None:
        """Remove what was added, and show again what was shown."""
        self._viewer.dims.events.ndisplay.disconnect(self._on_ndisplay_changed)
        grid = self._viewer.canvas.grid
        grid.enabled, grid.stride, grid.spacing = self._grid_before
        for layer in self.layers:
            self._viewer.layers.remove(layer)
        self._maps, self._anatomies = [], []
        there = [layer for layer in self._shown_before if layer in self._viewer.layers]
        for layer in there:
            layer.visible = True
        selected = self._selected_before & set(self._viewer.layers)
        self._viewer.layers.selection = selected
        self._viewer.fit_to_view()

    def _add(self, title: str, explanation: Explanation) -> None:
        anatomy = self._copy_of_anatomy(title)
        values = maps.smooth_map(explanation).transpose()
        grid = grid_over(self._anatomy, explanation.relevance)
        map_ = Image(
            values,
            name=title if explanation.status == "ok" else f"{title}: {explanation.status}",
            metadata=metadata_of(explanation.relevance, ROLE, grid.shown),
            **scenes.map_look(explanation.signed),
            **grid.keywords(grid.shown),
        )
        map_.opacity = scenes.MAP_OPACITY[int(self._viewer.dims.ndisplay)]
        for layer in (anatomy, map_):
            self._viewer.add_layer(layer)
        map_.name_overlay.font_size, map_.name_overlay.visible = TITLE_SIZE, True
        map_.colorbar.size, map_.colorbar.position = BAR_SIZE, "bottom_left"  # below the title
        map_.colorbar.visible = True
        self._anatomies.append(anatomy)
        self._maps.append((map_, explanation))

    def _copy_of_anatomy(self, title: str) -> Layer:
        """Return another layer of the same array and look."""
        data, look, kind = self._anatomy.as_layer_data_tuple()
        entry = {**(look["metadata"].get(KEY) or {}), "role": ROLE}
        look |= {"name": f"{title}: anatomy", "metadata": {KEY: entry}, "visible": True}
        copy = Layer.create(data, look, kind)
        if int(self._viewer.dims.ndisplay) == 3:
            _set(copy, scenes.ANATOMY_AS_VOLUME)
        return copy

    def _on_ndisplay_changed(self, event: object = None) -> None:
        del event
        ndisplay = int(self._viewer.dims.ndisplay)
        flat = {name: getattr(self._anatomy, name) for name in scenes.ANATOMY_AS_VOLUME}
        for layer in self._anatomies:
            _set(layer, scenes.ANATOMY_AS_VOLUME if ndisplay == 3 else flat)
        for layer, _ in self._maps:
            layer.opacity = scenes.MAP_OPACITY[ndisplay]
        self.set_threshold(self._threshold)


def _set(layer: Layer, look: dict[str, Any]) -> None:
    for name, value in look.items():
        setattr(layer, name, getattr(value, "value", value))
