"""The page "Time": what is asked of a series, what is known, and where it is shown."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, cast

from napari.layers import Layer
from qtpy.QtCore import QObject, Signal
from superqt.utils import qthrottled

from g3dvit_napari.core.types import Explanation, ExplanationRequest
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.controls.page import Page
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.remembered import keep
from g3dvit_napari.plugin.series import jobs
from g3dvit_napari.plugin.series.course import Course, Frame, Scale, fingerprint
from g3dvit_napari.plugin.series.course_view import CourseView
from g3dvit_napari.plugin.series.follower import Follower
from g3dvit_napari.plugin.series.frames import chosen_frames, count_of
from g3dvit_napari.plugin.series.kept import KeptCourses, without_class
from g3dvit_napari.plugin.series.time_box import FramesBox
from g3dvit_napari.plugin.settings import Settings

TITLE, TIP = "Time", "Many frames of a 4-D series, and how they change."
REDRAW_MS = 250  # between two plots while frames come in
_NO_SERIES = "Choose a 4-D series (t, x, y, z) on the page Explain: "


class SeriesDesk(QObject):
    """Explains frames of the chosen series, keeps them, and shows the frame on the slider."""

    _found = Signal(object)  # jobs.Found, from the worker's thread

    def __init__(self, viewer: Any, controller: Controller, form: ExplainForm) -> None:
        super().__init__(form)  # goes with the form, and so does all that waits in here
        self._viewer, self._controller, self._form = viewer, controller, form
        self.kept = KeptCourses()
        self.frames = FramesBox()
        self.follower = Follower(viewer, controller, form.threshold.threshold, self)
        self.view = CourseView(viewer, controller.lanes, self.follower, self)
        self._mean_classes: dict[str, int] = {}  # per layer
        self._watched: Layer | None = None
        self._asked: jobs.Asked | None = None
        self._redraw = qthrottled(self._refresh, timeout=REDRAW_MS)
        page = Page(self.frames)
        page.add(self.view.box, stretch=100)  # the plot takes the room that is left
        form.add_page(TITLE, TIP, page)
        self._lane = controller.lanes.add("the series", self._on_done)
        self._lane.cancelled.connect(self._on_cancelled)
        self._wire()

    @property
    def course(self) -> Course | None:
        """The time course that is followed and plotted."""
        return self.follower.course

    def recall(self, settings: Settings) -> None:
        """Set the page as it was left, and remember what is chosen from now on."""
        frames, box = self.frames, self.view.box
        keep(settings, "time", {"frames": frames.frames, "classes": frames.classes})
        keep(settings, "time", {"step": frames.step})
        keep(settings, "time", {"scale": box.scales, "lines": box.lines})
        self.follower.scale = cast(Scale, box.scales.value())

    def browses(self) -> bool:
        """Whether a frame that is kept here is just being shown."""
        return self.follower.settling

    def attach(self) -> None:
        """Follow slider and layers."""
        self.follower.attach()
        self.view.regions.attach()
        self._on_volume_changed()

    def detach(self) -> None:
        """Forget what is known of all series."""
        self._watch(None)
        self._forget()
        self.follower.detach()
        self.view.regions.detach()

    def ask(self) -> None:
        """Explain the chosen frames, as far as they are not known."""
        layer, model = self._series(), self._controller.model
        if layer is None or model is None:
            return
        self._controller.end_comparison()
        self._controller.stop_looking_ahead()
        request, each = self._request(), self.frames.each
        known = self._fingerprints(layer, request, each)
        chosen = self._chosen(layer)
        asked = jobs.Asked(model, layer, chosen, request, each, known, self._found.emit)
        self._asked = asked
        self._show_course(self._known_course(layer), self.frames.frames.value() == "mean")
        self._lane.submit(partial(jobs.explain_frames, asked))

    def _wire(self) -> None:
        form, controller = self._form, self._controller
        self._found.connect(self._on_found)
        self._lane.busy_changed.connect(self._adapt)
        self.frames.asked.connect(self.ask)
        self.frames.changed.connect(self._adapt)
        self.follower.moved.connect(self._on_moved)
        self.follower.changed.connect(self._refresh)
        form.volume.volume_changed.connect(self._on_volume_changed)
        form.question.changed.connect(self._adapt)
        controller.model_changed.connect(self._on_model_changed)
        controller.explained.connect(self._on_explained)
        controller.forgotten.connect(self._on_forgotten)

    def _series(self) -> Layer | None:
        """Return the chosen layer if it is a series."""
        for layer in self._viewer.layers:
            if str(layer.unique_id) == self._form.volume.layer and layer.ndim == 4:
                return layer
        return None

    def _chosen(self, layer: Layer) -> list[Frame]:
        box, current = self.frames, self._controller.frame_index(layer)
        return chosen_frames(box.frames.value(), count_of(layer), box.step.value(), current)

    def _request(self) -> ExplanationRequest:
        """Return the form's question, its parameters written as the results say them."""
        request, entry = self._form.request(), self._form.question.entry
        return replace(request, parameters=entry.checked(request.parameters)) if entry else request

    def _fingerprints(
        self, layer: Layer, request: ExplanationRequest, each: bool
    ) -> dict[int | None, dict[Frame, int]]:
        """Return, per class, the frames that are known for a question."""
        courses = self.kept.of_question(str(layer.unique_id), request)
        return {
            target: dict(course.fingerprints)
            for target, course in courses.items()
            if (target is None) == each
        }

    def _known_course(self, layer: Layer) -> Course | None:
        """Return the course that answers the form's question; None while nothing is known."""
        request, key = self._request(), str(layer.unique_id)
        courses = self.kept.of_question(key, request)
        if self.frames.each:
            return courses.get(None)
        target = self._mean_classes.get(key) if request.target is None else int(request.target)
        return None if target is None else courses.get(target)

    def _on_found(self, found: jobs.Found) -> None:
        layer, asked = self._series(), found.asked
        if layer is None or asked is not self._asked or asked.layer is not layer:
            return
        key, target = str(layer.unique_id), found.explanation.target
        if asked.request.target is None and not asked.each:
            self._mean_classes[key] = target
        request = replace(found.explanation.request, target=None if asked.each else target)
        course = self.kept.course(key, request, count_of(layer))
        course.keep(found.frame, found.explanation, found.fingerprint)
        self.kept.trim()
        if course is not self.course:
            self._show_course(course, found.frame == "mean")
        self._redraw()
        self.follower.lay(found.frame)

    def _show_course(self, course: Course | None, of_mean: bool) -> None:
        self.follower.course, self.follower.of_mean = course, of_mean
        self._refresh()

    def _on_explained(self, explanation: Explanation) -> None:
        """Keep what was explained elsewhere, too, and follow it."""
        layer, frame = self._series(), explanation.provenance.get("frame")
        if self.follower.settling or layer is None:
            return
        key, count = str(layer.unique_id), count_of(layer)
        if self._controller.anatomy is not layer:
            return
        if frame is None:
            self._show_course(None, False)
            return
        if frame == "mean":
            self._mean_classes[key] = explanation.predicted
        if not self._is_of(self.course, explanation):
            course = self.kept.course(key, explanation.request, count)
            course.keep(frame, explanation, fingerprint(explanation.scaled.placement.volume))
            self.follower.course = course
        self._show_course(self.course, frame == "mean")
        self.follower.sync()

    def _is_of(self, course: Course | None, explanation: Explanation) -> bool:
        """Whether a course holds an explanation already, and it was only cut elsewhere."""
        if course is None or explanation.provenance["frame"] not in course.frames:
            return False
        kept = course.frames[explanation.provenance["frame"]]
        asked = without_class(explanation.request) == without_class(course.request)
        return asked and kept.target == explanation.target

    def _on_done(self, new: int) -> None:
        self.follower.settle()
        course = self.course
        if course is not None and self.follower.frame not in course.frames:
            known = f"{len(course.numbers)} of {course.count} frames are explained"
            self._form.run.show_result(f"{known}, {new} of them now.")
        self._refresh()

    def _on_cancelled(self) -> None:
        self.follower.settle()
        known = len(self.course.numbers) if self.course else 0
        count = count_of(self._series())
        self._form.run.show_result("", f"Cancelled; {known} of {count} frames are kept.")
        self._refresh()

    def _on_volume_changed(self) -> None:
        layer = self._series()
        self._watch(layer)
        self.follower.course = None if layer is None else self._known_course(layer)
        self.follower.follow(layer)
        self._refresh()

    def _on_model_changed(self, _model: object) -> None:
        self._lane.cancel()
        self._forget()
        self._refresh()

    def _on_forgotten(self) -> None:
        """Let go of series that are no longer in the viewer."""
        there = {str(layer.unique_id) for layer in self._viewer.layers}
        self.kept.forget({course.layer for course in self.kept} - there)
        if self.course is not None and self.course.layer not in there:
            self.follower.course = None
        self._refresh()

    def _on_moved(self, _frame: int) -> None:
        if self.frames.frames.value() == "this":
            self._adapt()

    def _on_data_changed(self, _event: object = None) -> None:
        """Forget what was known of other voxels."""
        if self._watched is not None:
            key = str(self._watched.unique_id)
            self._lane.cancel()
            self._asked = None
            self.kept.forget({key})
            self._mean_classes.pop(key, None)
            self.follower.course = None
            self._refresh()

    def _watch(self, layer: Layer | None) -> None:
        if self._watched is layer:
            return
        if self._watched is not None:
            self._watched.events.data.disconnect(self._on_data_changed)
        self._watched = layer
        if layer is not None:
            layer.events.data.connect(self._on_data_changed)

    def _forget(self) -> None:
        self._asked = None
        self._redraw.cancel()
        self.kept.forget({course.layer for course in self.kept})
        self._mean_classes = {}
        self.follower.course = None

    def _refresh(self) -> None:
        self.view.folder = self._form.volume.folder or "."
        self._adapt()
        self.view.refresh()

    def _adapt(self, *_: object) -> None:
        """Say what a click would do, and what is missing."""
        layer = self._series()
        why = "there is no volume yet." if self._form.volume.layer is None else "this one is 3-D."
        self.frames.show_series(count_of(layer), "" if layer is not None else _NO_SERIES + why)
        course = None if layer is None else self._known_course(layer)
        wanted = [] if layer is None else self._chosen(layer)
        left = [frame for frame in wanted if course is None or frame not in course.frames]
        self.frames.show_task(len(wanted), len(left), self._reason(layer))
        self.frames.show_target(self._words_for_class(layer))

    def _reason(self, layer: Layer | None) -> str:
        if layer is None:
            return "There is no 4-D series to explain."
        if self._controller.model is None:
            return "Choose a checkpoint first."
        return "Frames are being explained; wait, or cancel below." if self._lane.busy else ""

    def _words_for_class(self, layer: Layer | None) -> str:
        model, target = self._controller.model, self._form.question.target
        if layer is None or model is None or self.frames.each:
            return ""
        known = self._mean_classes.get(str(layer.unique_id)) if target is None else target
        name = "The class" if known is None else model.handle.class_names[known]
        why = "predicted for the mean" if target is None else "chosen on the page Explain"
        return f"{name}, {why}: the course of one class can be compared over time."
