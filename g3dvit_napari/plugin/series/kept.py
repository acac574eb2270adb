"""All time courses that are kept, up to a bound."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from g3dvit_napari.core.types import ExplanationRequest, Threshold
from g3dvit_napari.plugin.series.course import Course, Frame

MOST_BYTES = 256 * 2**20


class KeptCourses:
    """The courses of one network, by layer and question; beyond the bound the oldest frames go."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._courses: list[Course] = []
        self._most_bytes = most_bytes

    def __iter__(self) -> Iterator[Course]:
        return iter(self._courses)

    @property
    def nbytes(self) -> int:
        """The memory that all maps take."""
        return sum(kept.nbytes for course in self for kept in course.frames.values())

    def of_question(self, layer: str, request: ExplanationRequest) -> dict[int | None, Course]:
        """Return the courses of a question by class; None: the class predicted for each frame."""
        wanted = without_class(request)
        return {
            None if course.request.target is None else int(course.request.target): course
            for course in self
            if course.layer == layer and without_class(course.request) == wanted
        }

    def course(self, layer: str, request: ExplanationRequest, count: int) -> Course:
        """Return the course of a question and its class, a new one where there is none."""
        target = None if request.target is None else int(request.target)
        found = self.of_question(layer, request).get(target)
        if found is None:
            found = Course(layer, replace(without_class(request), target=target), count)
            self._courses.append(found)
        return found

    def trim(self) -> None:
        """Drop the frames that came first until all maps fit below the bound."""
        over = self.nbytes - self._most_bytes
        for course in list(self):
            while over > 0 and len(course.frames) > 1:
                frame: Frame = next(iter(course.frames))
                over -= course.frames[frame].nbytes
                course.drop(frame)
            if over <= 0:
                return

    def forget(self, layers: Collection[str]) -> None:
        """Forget what is known of some layers."""
        self._courses = [course for course in self if course.layer not in layers]


def without_class(request: ExplanationRequest) -> ExplanationRequest:
    """Return all of a question but its class and its threshold."""
    return replace(request, target=None, threshold=Threshold())
