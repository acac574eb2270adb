"""What the time course has done for it outside the GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray

from g3dvit_napari.core.types import Explanation, ExplanationRequest, Threshold, Volume
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.lane import Report
from g3dvit_napari.plugin.picture.layers import volume_of
from g3dvit_napari.plugin.series.course import Course, Frame, fingerprint
from g3dvit_napari.plugin.series.regions import Mask, Region, mask_of

UNCUT = Threshold("none", stage="voxels")  # the cut is made where the map is shown


@dataclass(frozen=True, eq=False)
class Asked:
    """Which frames of a series are asked for.

    request
        The question. A target of None: the class predicted, for the mean or for each frame.
    each
        Whether every frame is explained for the class predicted for it.
    each
        Whether every frame is explained for the class predicted for it.
    known
        Per class (None: predicted for each) the fingerprints of the frames known already.
    tell
        Called with each frame as it is found (`Found`).
    """

    model: jobs.LoadedModel
    layer: Layer
    frames: Sequence[Frame]
    request: ExplanationRequest
    each: bool
    known: Mapping[int | None, Mapping[Frame, int]] = field(default_factory=dict)
    tell: Callable[[Any], object] = lambda _found: None


@dataclass(frozen=True, eq=False)
class Found:
    """One frame's explanation, on its way to where it is kept."""

    asked: Asked
    frame: Frame
    explanation: Explanation
    fingerprint: int


def frame_volume(layer: Layer, frame: Frame) -> Volume:
    """Return the volume of a frame, with its provenance."""
    return jobs.named(volume_of(layer, frame), layer, frame)


def explain_frames(asked: Asked, report: Report) -> int:
    """Explain frame after frame and tell of each; return how many were explained now."""
    target = asked.request.target
    if target is None and not asked.each:
        target = _class_of_the_mean(asked, report)
    known = asked.known.get(None if asked.each else int(target), {})  # type: ignore[arg-type]
    new = 0
    for done, frame in enumerate(asked.frames):
        words = f"frame {done + 1} of {len(asked.frames)} (frame no. {frame})"
        report(done / len(asked.frames), "the mean of all frames" if frame == "mean" else words)
        volume = frame_volume(asked.layer, frame)
        content = fingerprint(volume)
        if known.get(frame) == content:
            continue

        def part(fraction: float, _stage: str, done: int = done, words: str = words) -> None:
            report((done + fraction) / len(asked.frames), words)

        explanation = _explained(asked, volume, target, part)
        asked.tell(Found(asked, frame, explanation, content))
        new += 1
    return new


def _class_of_the_mean(asked: Asked, report: Report) -> int:
    words = "the class predicted for the mean"
    report(0.0, words)
    mean = frame_volume(asked.layer, "mean")
    with asked.model.turn:
        prediction = jobs.facade().predict(
            mean, asked.model.handle, progress=lambda _fraction, _stage: report(0.0, words)
        )
    return int(prediction.predicted)


def _explained(
    asked: Asked, volume: Volume, target: int | str | None, report: Report
) -> Explanation:
    request = asked.request
    with asked.model.turn:
        explanation: Explanation = jobs.facade().explain(
            volume,
            asked.model.handle,
            request.method,
            target,
            threshold=UNCUT,
            objective=request.objective,
            against=request.against,
            progress=report,
            **request.parameters,
        )
    return explanation


@dataclass(frozen=True, eq=False)
class Measured:
    """The shares of a region in some frames, and the region's voxels for the next time."""

    course: Course
    region: Region
    shares: Mapping[int, float]
    inside: Mask


@dataclass(frozen=True, eq=False)
class Unmeasured:
    """Frames whose relevance is measured in a region.

    snapshot
        Of the course when this was asked: the course itself goes on.
    inside
        The region's voxels, where they are known.
    """

    course: Course
    snapshot: Course
    region: Region
    numbers: Sequence[int]
    layer: Layer
    inside: Mask | None = None


def measure(task: Unmeasured, report: Report) -> Measured:
    """Return which share of each frame's relevance lies in a region.

    Sizes count, so evidence for and against a class does not cancel out.
    """
    placement, inside = task.snapshot.placement, task.inside
    if inside is None:
        inside = mask_of(task.region, placement, task.layer)
    shares = {}
    for done, number in enumerate(task.numbers):
        report(done / len(task.numbers), "the time course")
        voxels = np.abs(task.snapshot.scaled(number, "own", placement).voxels)
        shares[number] = _share(voxels, inside)
    return Measured(task.course, task.region, shares, inside)


def _share(sizes: NDArray[np.floating], inside: Mask) -> float:
    total = float(np.nansum(sizes, dtype=np.float64))
    return float(np.nansum(sizes[inside], dtype=np.float64)) / total if total > 0 else float("nan")
