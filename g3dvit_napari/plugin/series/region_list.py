"""The regions on offer, and the measuring of their relevance in every known frame."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Labels, Layer
from qtpy.QtCore import QObject, QTimer, Signal

from g3dvit_napari.core.atlas import Atlas
from g3dvit_napari.plugin.lanes import Lanes
from g3dvit_napari.plugin.picture.value_watch import ValueWatch
from g3dvit_napari.plugin.series import jobs
from g3dvit_napari.plugin.series.course import Course
from g3dvit_napari.plugin.series.regions import HEAD, Region
from g3dvit_napari.plugin.series.time_box import CourseBox

PAUSE_MS = 300  # after a stroke of the brush, until it is measured
GATHER_MS = 500  # frames that come in one by one are measured together
Key = tuple[str, int | None]  # a layer's unique id or a path, and a label; the head has ""


class RegionList(QObject):
    """Offers the head, every labels layer, whole and by its selected label, and label images."""

    changed = Signal()  # another region is chosen, or the chosen one was painted on
    measured = Signal()  # shares have been added to a course

    def __init__(self, viewer: Any, lanes: Lanes, box: CourseBox, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._box = viewer, box
        self._lane = lanes.add("the time course", self._on_measured, told="errors")
        self._offered: dict[Key, Region] = {("", None): HEAD}
        self._watched: list[Labels] = []
        self._watches: list[ValueWatch] = []
        self._atlases: Mapping[str, Atlas] = {}
        self._versions: dict[str, int] = {}
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._on_painted)
        self._box.region_changed.connect(self.changed)
        self._gather = QTimer(self)
        self._gather.setSingleShot(True)
        self._gather.setInterval(GATHER_MS)
        self._gather.timeout.connect(self._measure)
        self._task: tuple[Course, Layer] | None = None
        self._last: jobs.Measured | None = None
        self._offer()

    @property
    def region(self) -> Region:
        """The chosen region."""
        return self._offered.get(self._box.regions.value(), HEAD)

    def attach(self) -> None:
        """Follow the labels layers."""
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.renamed):
            event.connect(self._on_layers_changed)
        self._on_layers_changed()

    def detach(self) -> None:
        """Let go of the labels layers."""
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.renamed):
            event.disconnect(self._on_layers_changed)
        self._watch([])
        self._pause.stop()
        self._gather.stop()
        self._task = self._last = None
        self._offer()

    def take_atlases(self, atlases: Mapping[str, Atlas]) -> None:
        """Offer the label images that were read on the page Places, by their paths."""
        before, self._atlases = self.region, dict(atlases)
        self._offer()
        if self.region != before:
            self.changed.emit()

    def measure(self, course: Course, layer: Layer) -> None:
        """Measure the chosen region, soon, in the frames where it is not known yet."""
        self._task = course, layer
        if not self._gather.isActive():
            self._gather.start()

    def _measure(self) -> None:
        if self._task is None:
            return
        if self._lane.busy:
            self._gather.start()
            return
        course, layer = self._task
        region, last = self.region, self._last
        known = course.shares.get(region, {})
        missing = [number for number in course.numbers if number not in known]
        if missing:
            same = last is not None and last.course is course and last.region == region
            inside = last.inside if last is not None and same else None
            task = jobs.Unmeasured(course, course.snapshot(), region, missing, layer, inside)
            self._lane.submit(partial(jobs.measure, task))

    def _on_measured(self, found: jobs.Measured) -> None:
        course, self._last = found.course, found
        for other in list(course.shares):  # as it was before the last stroke of the brush
            if other.key == found.region.key and other != found.region:
                del course.shares[other]
        known = course.shares.setdefault(found.region, {})
        known.update({n: share for n, share in found.shares.items() if n in course.frames})
        self.measured.emit()

    def _on_layers_changed(self, _event: object = None) -> None:
        self._watch([layer for layer in self._viewer.layers if isinstance(layer, Labels)])
        self._offer()

    def _watch(self, layers: list[Labels]) -> None:
        for layer in self._watched:
            layer.events.selected_label.disconnect(self._on_selected)
        for watch in self._watches:
            watch.close()
        self._watched = layers
        self._watches = [ValueWatch(layer, self._on_touched) for layer in layers]
        for layer in layers:
            layer.events.selected_label.connect(self._on_selected)

    def _on_touched(self, event: Any) -> None:
        key = str(event.source.unique_id)
        self._versions[key] = self._versions.get(key, 0) + 1
        self._pause.start()

    def _on_selected(self, _event: object = None) -> None:
        self._pause.start()

    def _on_painted(self) -> None:
        before = self.region
        self._offer()
        if self.region != before:
            self.changed.emit()

    def _offer(self) -> None:
        """List the regions as they are now; a chosen label stays chosen."""
        self._offered = {("", None): HEAD}
        for layer in reversed(self._watched):
            key, name = str(layer.unique_id), str(layer.name)
            version, label = self._versions.get(key, 0), int(layer.selected_label)
            self._offered[(key, None)] = Region(name, layer, None, version)
            marked = Region(f"{name}: label {label}", layer, label, version)
            self._offered[(key, -1)] = marked
        for path, atlas in self._atlases.items():
            self._offered |= _regions_of(path, atlas)
        names = {key: region.name for key, region in self._offered.items()}
        self._box.offer_regions(names, self._box.regions.value())


def _regions_of(path: str, atlas: Atlas) -> dict[Key, Region]:
    """Return a label image as a whole, and its regions that have a name."""
    title = Path(path).name.partition(".")[0]
    regions: dict[Key, Region] = {(path, None): Region(title, atlas=atlas)}
    for label in sorted(atlas.names):
        name = f"{title}: {atlas.name_of(label)}"
        regions[(path, label)] = Region(name, value=label, atlas=atlas)
    return regions
