"""Keeps the tables and the read-out up to date with the map on show, and goes where they point."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal

from g3dvit_napari.core.atlas import Atlas
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.controls.page import Page
from g3dvit_napari.plugin.picture.layers import grid_over
from g3dvit_napari.plugin.places import jobs
from g3dvit_napari.plugin.places.columns import place_of, saved
from g3dvit_napari.plugin.places.ground import Ground
from g3dvit_napari.plugin.places.jump import jump
from g3dvit_napari.plugin.places.labels_layers import atlas_from, labels_in
from g3dvit_napari.plugin.places.places_box import NO_LABELS, NOTHING, PlacesBox
from g3dvit_napari.plugin.places.reading import Sight
from g3dvit_napari.plugin.places.readout import ReadOut
from g3dvit_napari.plugin.remembered import keep
from g3dvit_napari.plugin.settings import Settings


def open_places(viewer: Any, controller: Controller, form: Any) -> PlacesDesk:
    """Add the page of places and the read-out to a form, and return what stands behind them."""
    box, line = PlacesBox(), ReadOut()
    page = Page()
    page.add(box, 1)
    form.add_page("Places", "Where the relevance is: peaks, clusters, regions.", page)
    form.head.addWidget(line)
    return PlacesDesk(viewer, controller, box, line)


class PlacesDesk(QObject):
    """Stands behind the page of places."""

    files_changed = Signal(object)  # the label images that were read, by path

    jumped = Signal(object)  # the point (z y x) of the canvas

    def __init__(self, viewer: Any, controller: Controller, box: PlacesBox, line: ReadOut) -> None:
        super().__init__()
        self._viewer, self._controller, self._box, self._line = viewer, controller, box, line
        self._files: dict[str, Atlas] = {}  # path: what was read from it
        self._chosen = ""  # the path, or the unique id of a layer
        self._sight: Sight | None = None
        lanes = controller.lanes
        self._surveys = lanes.add("the table of places", self._on_surveyed, told="errors")
        self._atlases = lanes.add("reading the label image", self._on_atlas_read)
        self._tables = lanes.add("saving the table", self._on_saved)
        controller.explained.connect(self._on_explained)
        controller.forgotten.connect(self._on_forgotten)
        box.place_chosen.connect(self._on_place_chosen)
        box.atlas_requested.connect(self.read_atlas)
        box.atlas_chosen.connect(self._on_atlas_chosen)
        box.save_requested.connect(self._on_save_requested)

    def attach(self) -> None:
        """Listen to the mouse, and offer the layers of labels."""
        self._viewer.mouse_move_callbacks.append(self._on_mouse_moved)
        self._viewer.events.mouse_over_canvas.connect(self._on_mouse_left)
        for event in self._layer_events():
            event.connect(self._on_layers_changed)
        self._on_layers_changed()

    def detach(self) -> None:
        """Stop listening, and let go of maps and label images."""
        self._viewer.mouse_move_callbacks.remove(self._on_mouse_moved)
        self._viewer.events.mouse_over_canvas.disconnect(self._on_mouse_left)
        for event in self._layer_events():
            event.disconnect(self._on_layers_changed)
        self._on_forgotten()
        self._files, self._chosen = {}, ""
        self.files_changed.emit(self._files)

    def recall(self, settings: Settings) -> None:
        """Show the table that was left, and remember which is chosen from now on."""
        keep(settings, "places", {"shows": self._box.shows})
        self._on_forgotten()

    def read_atlas(self, path: str) -> None:
        """Read a label image and sum the map up by it."""
        work = partial(jobs.read_atlas, path)
        self._atlases.submit(lambda report: (path, work(report)))

    def _layer_events(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.renamed

    def _survey(self) -> None:
        """Make the tables of the map on show anew; of several wishes the last one is served."""
        explanation = self._controller.explanation
        if explanation is not None:
            self._surveys.submit(partial(jobs.survey, explanation, self._atlas()))

    def _atlas(self) -> Atlas | None:
        layer = labels_in(self._viewer).get(self._chosen)
        if layer is None:
            return self._files.get(self._chosen)
        explanation, anatomy = self._controller.explanation, self._controller.anatomy
        if explanation is None or anatomy is None:
            return atlas_from(layer, None)
        return atlas_from(layer, grid_over(anatomy, explanation.relevance))

    def _on_explained(self, _explanation: Explanation) -> None:
        self._survey()

    def _on_forgotten(self) -> None:
        self._surveys.cancel()
        self._sight = None
        self._line.show_reading(None)
        self._line.hide()
        self._box.show_tables((), NOTHING, None, NOTHING)

    def _on_surveyed(self, found: jobs.Survey) -> None:
        anatomy = self._controller.anatomy
        if anatomy is None:
            return
        ground = Ground.of(grid_over(anatomy, found.explanation.relevance))
        self._sight = Sight(found.explanation, ground, found.atlas)
        self._line.make_room(regions=found.atlas is not None)
        regions = found.regions
        self._box.show_tables(
            found.clusters.rows,
            found.clusters.sentence,
            None if regions is None else regions.rows,
            NO_LABELS if regions is None else regions.sentence,
        )

    def _on_place_chosen(self, row: Any) -> None:
        place, anatomy = place_of(row), self._controller.anatomy
        if place is not None and self._sight is not None and anatomy is not None:
            point = self._sight.ground.canvas(place.index)
            jump(self._viewer, point, anatomy)
            self.jumped.emit(point)

    def _on_mouse_moved(self, _viewer: Any, event: Any) -> None:
        sight = self._sight
        if sight is None or self._controller.comparison.shown:
            self._line.show_reading(None)
        elif len(event.dims_displayed) == 3:
            self._line.show_reading(sight.along(event.position, event.view_direction))
        else:
            self._line.show_reading(sight.at(event.position))

    def _on_mouse_left(self, _event: object = None) -> None:
        if not self._viewer.mouse_over_canvas:
            self._line.show_reading(None)

    def _on_layers_changed(self, _event: object = None) -> None:
        self._offer()

    def _offer(self) -> None:
        layers = {key: layer.name for key, layer in labels_in(self._viewer).items()}
        known = {**layers, **{path: _title(path) for path in self._files}}
        if self._chosen and self._chosen not in known:  # its layer was removed
            self._chosen = ""
            self._survey()
        self._box.offer_atlases(known, self._chosen)

    def _on_atlas_read(self, found: tuple[str, Atlas]) -> None:
        path, atlas = found
        self._files[path], self._chosen = atlas, path
        self.files_changed.emit(self._files)
        self._box.folder = str(Path(path).parent)
        self._box.shows.choose("regions")
        self._offer()
        self._survey()

    def _on_atlas_chosen(self, key: str) -> None:
        self._chosen = key
        self._survey()

    def _on_save_requested(self, path: str) -> None:
        table = self._box.table
        header = [column.key for column in table.columns]
        rows = saved(table.columns, table.rows)
        self._tables.submit(partial(jobs.save_table, path, header, rows))

    def _on_saved(self, path: Path) -> None:
        show_info(f"Saved {path.name} in {path.parent}")


def _title(path: str) -> str:
    """Return the name of a file without its endings."""
    return Path(path).name.partition(".")[0]
