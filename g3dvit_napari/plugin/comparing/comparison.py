"""Several maps of one volume side by side: a cell each in napari's grid, under one threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from napari.components.overlays import TextOverlay
from napari.layers import Image, Layer

from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.plugin.comparing.before import Before
from g3dvit_napari.plugin.comparing.caption import caption, height_px, letters_per_line, size_of
from g3dvit_napari.plugin.comparing.cell_contours import CellContours
from g3dvit_napari.plugin.comparing.cell_crosshairs import CellCrosshairs
from g3dvit_napari.plugin.comparing.cells import Cell, MapCell
from g3dvit_napari.plugin.comparing.scale import OWN, Scale
from g3dvit_napari.plugin.jobs import title_of
from g3dvit_napari.plugin.picture import maps, scenes
from g3dvit_napari.plugin.picture.colormaps import SIGNED, SMALLEST_CUT, UNSIGNED, Edge, gated
from g3dvit_napari.plugin.picture.crosshair import Point
from g3dvit_napari.plugin.picture.layers import KEY, grid_over, metadata_of
from g3dvit_napari.plugin.picture.legend import words_for_objective
from g3dvit_napari.plugin.picture.planes import position_of

ROLE = "compared"
SCALE_WORDS = "g3dvit_scale"  # our overlay on the canvas
SPACING = 6  # pixels between two cells
BAR_SIZE = (12, 90)
WORDS_SIZE = 8.0  # points, of what is said once for all cells
ABOVE, BELOW = 14.0, 40.0  # pixels of a cell: around its caption, for the scale bar
LEAST_ROOM = 0.4  # of a cell for the head


class Comparison:
    """Shows explanations of one layer's volume; owns the layers it adds, and only those.

    All maps share one threshold, and either one scale or one each from 0 to 1 of their own largest
    value (signed: -1 to 1). What was on the screen is hidden meanwhile and comes back.

    The caption of a cell is the name of its anatomy, because napari shows no other words in a
    cell; maps are named by their titles.

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
        self._same = _same(explanation for _, explanation in titled)
        self._words = TextOverlay(position="bottom_right", font_size=WORDS_SIZE, visible=True)
        viewer.canvas.overlays[SCALE_WORDS] = self._words
        self._contours, self._crosshairs = CellContours(viewer), CellCrosshairs(viewer)
        self._letters = 40  # of a caption's line; known once the cells are there
        self._unit_mm = grid_over(anatomy, titled[0][1].relevance).unit_mm
        self._cells: list[tuple[Image, Layer, Cell]] = []  # map, anatomy below it, what is shown
        self._difference: tuple[Image, Layer, Cell] | None = None
        for title, explanation in reversed(titled):  # the last pair added fills the first cell
            self._cells.append(self._add(MapCell(title, explanation, scale), len(viewer.layers)))
        self._write_scale(scale)
        self.set_threshold(threshold)
        viewer.canvas.grid.spacing, viewer.canvas.grid.enabled = SPACING, True
        viewer.dims.events.point.connect(self._write_captions)
        for event in self._turns():  # after the overlay, which has frames of its own
            event.connect(self._on_turned, position="last")
        self._arrange()

    @property
    def layers(self) -> list[Layer]:
        """The layers of this comparison that are still there."""
        mine = [layer for pair in self._all for layer in pair[:2]]
        lines = self._contours.layers + self._crosshairs.layers
        return [layer for layer in mine if layer in self._viewer.layers] + lines

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
        lines = self._contours.owns(layer) or self._crosshairs.owns(layer)
        return lines or any(layer is one for one in mine)

    def lost(self, layer: Layer) -> bool:
        """Take note that a layer was removed; return whether the difference went with it."""
        went = self._difference is not None and any(layer is one for one in self._difference[:2])
        if went:
            self.drop_difference()
        return went

    def set_edge(self, edge: Edge) -> None:
        """End the maps sharply at the cut, let them fade below, or draw lines around them."""
        self.edge = edge
        self.set_threshold(self._threshold)

    def set_threshold(self, threshold: Threshold) -> None:
        """Cut every map at its own value for this threshold; only colours change."""
        self._threshold = threshold
        ndisplay = int(self._viewer.dims.ndisplay)
        for layer, _, cell in self._all:
            base, cut = SIGNED if cell.signed else UNSIGNED, cell.cut(threshold)
            layer.colormap = gated(base, cut, signed=cell.signed, edge=self.edge, ndisplay=ndisplay)
        self._outline()
        self._write_captions()

    def set_crosshair(self, lines: bool, peak: Point | None) -> None:
        """Draw lines through the point of the slices, and a ring around a peak, in every cell."""
        self._crosshairs.choose(lines, peak)
        self._outline()

    def set_scale(self, scale: Scale) -> None:
        """Draw all maps on another scale; a difference on the former one goes."""
        self.drop_difference()
        self._write_scale(scale)
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
        if gone:
            self._contours.remove(gone[0])
            self._crosshairs.remove(gone[0])
        for layer in gone[:2] if gone else ():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        if gone:
            self._arrange()

    def close(self) -> None:
        """Remove what was added, and show again what was shown."""
        self._viewer.dims.events.point.disconnect(self._write_captions)
        for event in self._turns():
            event.disconnect(self._on_turned)
        self._viewer.canvas.overlays.pop(SCALE_WORDS, None)
        self._before.restore_grid()
        self._contours.remove()
        self._crosshairs.remove()
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
        anatomy.name_overlay.visible = True
        map_.colorbar.size, map_.colorbar.position = BAR_SIZE, "bottom_left"  # below the title
        map_.colorbar.visible, map_.colorbar.box = True, False  # a box would hide the head
        return map_, anatomy, cell

    def _copy_of_anatomy(self, cell: Cell) -> Layer:
        """Return another layer of the same array and look."""
        data, look, kind = self._anatomy.as_layer_data_tuple()
        entry = {**(look["metadata"].get(KEY) or {}), "role": ROLE}
        look |= {"name": f"{cell.title}: anatomy", "metadata": {KEY: entry}, "visible": True}
        copy = Layer.create(data, look, kind)
        if int(self._viewer.dims.ndisplay) == 3:
            _set(copy, scenes.ANATOMY_AS_VOLUME)
        return copy

    def _arrange(self) -> None:
        """Fit head and captions into the cells that there are now."""
        rows, columns = self._viewer.canvas.grid.actual_shape(self._viewer.layers)
        height, width = self._viewer.canvas.size
        size = size_of(columns)
        self._letters = letters_per_line(width / columns, size)
        for _, anatomy, _ in self._all:
            anatomy.name_overlay.font_size = size
        self._write_captions()
        self._viewer.fit_to_view()
        above = ABOVE + height_px([anatomy.name for _, anatomy, _ in self._all], size)
        full = rows * columns == len(self._all)  # the last cell holds the words on all
        below = BELOW + full * height_px([self._words.text], WORDS_SIZE)
        self._make_room(above, below, height / rows)

    def _make_room(self, above: float, below: float, height: float) -> None:
        """Shrink the head to what captions and scale bar leave of a cell's height, and centre it.

        A volume stays in the middle: the camera turns about it.
        """
        camera, dims = self._viewer.scene.camera, self._viewer.dims
        room = max(height - above - below, LEAST_ROOM * height)
        if int(dims.ndisplay) == 3:
            camera.zoom *= scenes.CLOSER * room / height
            return
        low, high = self._anatomy.extent.world[:, dims.displayed[0] - dims.ndim]
        camera.zoom = min(camera.zoom, room / float(high - low))
        upwards = 1 if str(camera.orientation[1]) == "up" else -1
        down = upwards * (above - below) / 2 / camera.zoom
        camera.center = (camera.center[0], camera.center[1] + down, camera.center[2])

    def _write_captions(self, event: object = None) -> None:
        del event
        where = position_of(self._viewer, self._unit_mm)
        for _, anatomy, cell in self._all:
            words = caption(cell, self._threshold, where, self._letters)
            if anatomy.name != words:
                anatomy.name = words

    def _write_scale(self, scale: Scale) -> None:
        self._words.text = "\n".join([*self._same, scale.words])

    def _outline(self) -> None:
        """Draw lines around what is kept, and crosshairs; a cell is one layer more for each."""
        wanted = self.edge == "contour" and int(self._viewer.dims.ndisplay) == 2
        # Counted from the end, cells stay together however many layers lie below them.
        self._viewer.canvas.grid.stride = -(2 + wanted + self._crosshairs.wanted)
        if wanted:
            cuts = [cell.cut(self._threshold) for *_, cell in self._all]
            self._contours.draw(
                (map_, anatomy, None if cut is None else max(cut, SMALLEST_CUT) * cell.limit)
                for (map_, anatomy, cell), cut in zip(self._all, cuts, strict=True)
            )
        else:
            self._contours.remove()
        self._crosshairs.draw((map_, anatomy) for map_, anatomy, _ in self._all)

    def _turns(self) -> tuple[Any, ...]:
        return self._viewer.dims.events.ndisplay, self._viewer.dims.events.order

    def _on_turned(self, event: object = None) -> None:
        """Dress the layers for slices or a volume, and fit them into their cells again."""
        del event
        ndisplay = int(self._viewer.dims.ndisplay)
        flat = {name: getattr(self._anatomy, name) for name in scenes.ANATOMY_AS_VOLUME}
        for layer, anatomy, _ in self._all:
            _set(anatomy, scenes.ANATOMY_AS_VOLUME if ndisplay == 3 else flat)
            layer.opacity = scenes.MAP_OPACITY[ndisplay]
        self.set_threshold(self._threshold)
        self._arrange()


def _set(layer: Layer, look: dict[str, Any]) -> None:
    for name, value in look.items():
        setattr(layer, name, getattr(value, "value", value))


def _same(explanations: Iterable[Explanation]) -> list[str]:
    """Say what is the same in all cells: the method, and what of the class it explains."""
    asked = {
        (
            title_of(found.request.method),
            "" if found.request.objective == "logit" else words_for_objective(found),
        )
        for found in explanations
    }
    methods, objectives = ({one[place] for one in asked} for place in (0, 1))
    same = [*(methods if len(methods) == 1 else ()), *(objectives if len(objectives) == 1 else ())]
    return list(filter(None, same))
