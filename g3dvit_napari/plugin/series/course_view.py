"""How a time course is looked at: the plot, its switches, and the way into a table."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from napari.layers import Layer
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog

from g3dvit_napari.plugin.lanes import Lanes
from g3dvit_napari.plugin.series import table
from g3dvit_napari.plugin.series.course import Course, Scale
from g3dvit_napari.plugin.series.follower import Follower
from g3dvit_napari.plugin.series.frames import go_to_frame, seconds_per_frame
from g3dvit_napari.plugin.series.panels import panels_of
from g3dvit_napari.plugin.series.region_list import RegionList
from g3dvit_napari.plugin.series.time_box import CourseBox


class CourseView(QObject):
    """Plots the course that the follower follows; a click in the plot moves the time slider."""

    def __init__(self, viewer: Any, lanes: Lanes, follower: Follower, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._follower = viewer, follower
        self.folder = "."  # where tables go unless another place is chosen
        box = self.box = CourseBox()
        self.regions = RegionList(viewer, lanes, box, self)
        self._tables = lanes.add("the table", None)
        box.overlay_changed.connect(self._on_overlay_changed)
        box.scale_changed.connect(self._on_scale_changed)
        box.lines_changed.connect(self.plot)
        box.export_asked.connect(self._on_export)
        box.plot.frame_asked.connect(self._on_frame_asked)
        follower.moved.connect(box.plot.show_frame)
        self.regions.changed.connect(self.refresh)
        self.regions.measured.connect(self.plot)

    @property
    def _course(self) -> Course | None:
        return self._follower.course

    @property
    def _layer(self) -> Layer | None:
        return self._follower.layer

    def refresh(self) -> None:
        """Plot what is known, and measure what is not."""
        course, layer = self._course, self._layer
        known = course is not None and bool(course.frames)
        has_mean = course is not None and "mean" in course.frames
        self.box.show_reason(
            "" if known else "Explain some frames first.",
            "" if has_mean else "Explain the mean first.",
        )
        self.box.overlays.choose("mean" if self._follower.of_mean else "frames")
        if course is not None and layer is not None and course.numbers:
            self.regions.measure(course, layer)
        self.plot()

    def plot(self) -> None:
        """Draw the plot anew."""
        layer, course, plot = self._layer, self._course, self.box.plot
        if layer is None or course is None or not course.numbers:
            words = "" if layer is None else "No frame is explained yet."
            plot.show_panels((), 0, words=words)
            return
        every = self.box.lines.value() == "all"
        panels = panels_of(course, every, self.regions.region)
        plot.show_panels(panels, course.count, seconds_per_frame(layer), course.numbers)
        plot.show_frame(self._follower.frame)

    def _on_frame_asked(self, frame: int) -> None:
        if self._layer is not None:
            go_to_frame(self._viewer, self._layer, frame)

    def _on_overlay_changed(self, value: str) -> None:
        self._follower.of_mean = value == "mean"
        self._follower.sync()

    def _on_scale_changed(self, value: str) -> None:
        self._follower.scale = cast(Scale, value)
        self._follower.sync()

    def _on_export(self) -> None:
        course, layer = self._course, self._layer
        if course is None or layer is None:
            return
        start = f"{self.folder}/{course.request.method}_time_course.tsv"
        path, _ = QFileDialog.getSaveFileName(None, "Export the time course", start, "TSV (*.tsv)")
        if path:
            rows = table.rows_of(course, seconds_per_frame(layer))
            self._tables.submit(partial(table.write_table, rows, path))
