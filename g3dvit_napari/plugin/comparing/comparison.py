"""Several maps of one volume side by side: a cell each in napari's grid, under one threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.components.overlays import TextOverlay
from napari.layers import Image, Layer

from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.plugin.comparing.before import Before
from g3dvit_napari.plugin.comparing.cells import Cell, MapCell
from g3dvit_napari.plugin.comparing.scale import OWN, Scale
from g3dvit_napari.plugin.picture import maps, scenes
from g3dvit_napari.plugin.picture.colormaps import SIGNED, UNSIGNED, Edge, gated
from g3dvit_napari.plugin.picture.layers import KEY, grid_over, metadata_of

ROLE = "compared"
SCALE_WORDS = "g3dvit_scale"  # our overlay on the canvas
SPACING = 6  # pixels between two cells
TITLE_SIZES = {1: 11, 2: 11, 3: 10}  # per number of columns; smaller where there are more
SMALLEST_TITLE, BAR_SIZE = 7, (12, 90)
LETTERS = 64  # of a title at size 11 across the canvas; longer ones are smaller
ROOM = 0.92  # of a cell for the head: a title is above it


class Comparison:
    """Shows explanations of one layer's volume; owns the layers it adds, and only those.

    All maps share one threshold, and either one scale or one each from 0 to 1 of their own largest
    value (signed: -1 to 1). What was on the screen is hidden meanwhile and comes back.

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
    scale
        What 1 stands for.
    """

    def __init__(
        self,
        viewer: Any,
        anatomy: Layer,
        titled: Sequence[tuple[str, Explanation]],
        threshold: Threshold,
        edge: Edge = "hard",
        *,
        scale: Scale = OWN,
    ) -> None:
        self._viewer, self._anatomy, self.edge = viewer, anatomy, edge
        self._before = Before(viewer)
        self._threshold = threshold
        self._words = TextOverlay(position="bottom_right", font_size=10, visible=True, box=False)
        viewer.canvas.overlays[SCALE_WORDS] = self._words
        self._words.text = scale.words
        self._cells: list[tuple[Image, Layer, Cell]] = []  # map, anatomy below it, what is shown
        self._difference: tuple[Image, Layer, Cell] | None = None
        for title, explanation in reversed(titled):  # the last pair added fills the first cell
            self._cells.append(self._add(MapCell(title, explanation, scale), len(viewer.layers)))
        self.set_threshold(threshold)
        # Counted from the end, pairs stay together however many layers lie below them.
        grid = viewer.canvas.grid
        grid.stride, grid.spacing, grid.enabled = -2, SPACING, True
        viewer.dims.events.ndisplay.connect(self._on_ndisplay_changed)
        self._arrange()

    @property
    def layers(self) -> list[Layer]:
        """The layers of this comparison that are still there."""
        mine = [layer for pair in self._all for layer in pair[:2]]
        return [layer for layer in mine if layer in self._viewer.layers]

    @property
    def _all(self) -> list[tuple[Image, Layer, Cell]]:
        return self._cells + ([self._difference] if self._difference else [])

    @property
    def difference(self) -> Image | None:
        """The layer of the difference that is shown, if any."""
        return self._difference[0] if self._difference else None

    def needs(self, layer: Layer) -> bool:
        """Whether it cannot go on without a layer: one of its maps, or the one explained."""
        mine = [self._anatomy, *(layer for pair in self._cells for layer in pair[:2])]
        return any(layer is one for one in mine)

    def lost(self, layer: Layer) -> bool:
        """Take note that a layer was removed; return whether the difference went with it."""
        went = self._difference is not None and any(layer is one for one in self._difference[:2])
        if went:
            self.drop_difference()
        return went

    def set_edge(self, edge: Edge) -> None:
        """End the maps sharply at the cut, or let them fade below."""
        self.edge = edge
        self.set_threshold(self._threshold)

    def set_threshold(self, threshold: Threshold) -> None:
        """Cut every map at its own value for this threshold; only colours change."""
        self._threshold = threshold
        ndisplay = int(self._viewer.dims.ndisplay)
        for layer, _, cell in self._all:
            base, cut = SIGNED if cell.signed else UNSIGNED, cell.cut(threshold)
            layer.colormap = gated(base, cut, signed=cell.signed, edge=self.edge, ndisplay=ndisplay)

    def set_scale(self, scale: Scale) -> None:
        """Draw all maps on another scale; a difference on the former one goes."""
        self.drop_difference()
        self._words.text = scale.words
        for layer, _, cell in self._cells:
            if isinstance(cell, MapCell) and cell.scale != scale:
                cell.scale = scale
                layer.data = maps.visible(cell.values()).transpose()
        self.set_threshold(self._threshold)

    def show_difference(self, cell: Cell) -> None:
        """Show a difference in the last cell, in place of the former one."""
        self.drop_difference()
        first = min(self._viewer.layers.index(layer) for layer in self.layers)
        self._difference = self._add(cell, first)
        self.set_threshold(self._threshold)
        self._arrange()

    def drop_difference(self) -> None:
        """Take the difference away."""
        gone, self._difference = self._difference, None  # removing layers asks again
        for layer in gone[:2] if gone else ():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        if gone:
            self._arrange()

    def close(self) -> None:
        """Remove what was added, and show again what was shown."""
        self._viewer.dims.events.ndisplay.disconnect(self._on_ndisplay_changed)
        self._viewer.canvas.overlays.pop(SCALE_WORDS, None)
        self._before.restore_grid()
        for layer in self.layers:
            self._viewer.layers.remove(layer)
        self._cells, self._difference = [], None
        self._before.restore()

    def _add(self, cell: Cell, index: int) -> tuple[Image, Layer, Cell]:
        """Add an anatomy and what the cell shows over it, at a place in the list of layers."""
        anatomy = self._copy_of_anatomy(cell)
        grid = grid_over(self._anatomy, cell.volume)
        map_ = Image(
            maps.visible(cell.values()).transpose(),
            name=cell.title,
            metadata=metadata_of(cell.volume, ROLE, grid.shown),
            **scenes.map_look(cell.signed),
            **grid.keywords(grid.shown),
        )
        map_.contrast_limits = (-cell.limit if cell.signed else 0.0, cell.limit)
        map_.opacity = scenes.MAP_OPACITY[int(self._viewer.dims.ndisplay)]
        for place, layer in enumerate((anatomy, map_)):
            self._viewer.layers.insert(index + place, layer)
        map_.name_overlay.visible = True
        anatomy.name_overlay.visible, anatomy.name_overlay.box = bool(cell.subtitle), False
        map_.colorbar.size, map_.colorbar.position = BAR_SIZE, "bottom_left"  # below the title
        map_.colorbar.visible = True
        return map_, anatomy, cell

    def _copy_of_anatomy(self, cell: Cell) -> Layer:
        """Return another layer of the same array and look."""
        data, look, kind = self._anatomy.as_layer_data_tuple()
        entry = {**(look["metadata"].get(KEY) or {}), "role": ROLE}
        name = cell.subtitle or f"{cell.title}: anatomy"
        look |= {"name": name, "metadata": {KEY: entry}, "visible": True}
        copy = Layer.create(data, look, kind)
        if int(self._viewer.dims.ndisplay) == 3:
            _set(copy, scenes.ANATOMY_AS_VOLUME)
        return copy

    def _arrange(self) -> None:
        """Fit head and titles into the cells that there are now."""
        _, columns = self._viewer.canvas.grid.actual_shape(self._viewer.layers)
        largest = TITLE_SIZES.get(columns, SMALLEST_TITLE + 1)
        for layer, anatomy, cell in self._all:
            fitting = 11 * LETTERS / columns / max(len(cell.title), 1)
            layer.name_overlay.font_size = max(min(largest, fitting), SMALLEST_TITLE)
            anatomy.name_overlay.font_size = largest - 1
        self._viewer.fit_to_view()
        self._viewer.scene.camera.zoom *= ROOM

    def _on_ndisplay_changed(self, event: object = None) -> None:
        del event
        ndisplay = int(self._viewer.dims.ndisplay)
        flat = {name: getattr(self._anatomy, name) for name in scenes.ANATOMY_AS_VOLUME}
        for layer, anatomy, _ in self._all:
            _set(anatomy, scenes.ANATOMY_AS_VOLUME if ndisplay == 3 else flat)
            layer.opacity = scenes.MAP_OPACITY[ndisplay]
        self.set_threshold(self._threshold)


def _set(layer: Layer, look: dict[str, Any]) -> None:
    for name, value in look.items():
        setattr(layer, name, getattr(value, "value", value))
