"""Which frames of a series are meant, and when they were taken."""

from __future__ import annotations

from typing import Any, Literal

from napari.layers import Layer

from g3dvit_napari.plugin.picture.layers import entry_of
from g3dvit_napari.plugin.series.course import Frame

UNKNOWN = 1.0  # seconds, with which our layers stand in for a repetition time that no file tells
Choice = Literal["this", "mean", "every", "all"]


def chosen_frames(choice: Choice, count: int, step: int, current: int) -> list[Frame]:
    """Return the frames that a choice means, in the order of time."""
    if choice == "mean":
        return ["mean"]
    if choice == "this":
        return [current]
    return list(range(0, count, step if choice == "every" else 1))


def count_of(layer: Layer | None) -> int:
    """Return the number of frames of a series; 0 for none."""
    return 0 if layer is None else int(layer.data.shape[0])


def seconds_per_frame(layer: Layer) -> float | None:
    """Return the repetition time; None where neither the file nor the layer's units tell it."""
    quantity: Any = float(layer.scale[0]) * layer.units[0]
    if not quantity.check("[time]"):
        return None
    seconds = float(quantity.to("s").magnitude)
    source = entry_of(layer).get("source")
    unknown = source is not None and not source.repetition_time and seconds == UNKNOWN
    return None if unknown else seconds


def go_to_frame(viewer: Any, layer: Layer, frame: int) -> None:
    """Move the viewer's time slider to a frame of a series."""
    axis = viewer.dims.ndim - layer.ndim
    world = layer.data_to_world((float(frame), 0.0, 0.0, 0.0))[0]
    viewer.dims.set_point(axis, float(world))
