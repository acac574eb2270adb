"""What the controller has done for it outside the GUI thread; only here the facade is called.

Every job is a plain function that takes `report(fraction, stage)` last. Nothing here touches a
widget or changes a layer.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from g3dvit_napari.core.device import DeviceState
from g3dvit_napari.core.registry import Entry
from g3dvit_napari.core.types import Explanation, ExplanationRequest, Stage, Threshold, Volume
from g3dvit_napari.plugin.answers import Answers, question_of
from g3dvit_napari.plugin.lane import Report
from g3dvit_napari.plugin.picture.layers import volume_of

if TYPE_CHECKING:
    from napari.layers import Layer

Frame = int | Literal["mean"]
STAGES: tuple[Stage, ...] = ("patches", "voxels")


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network, and what the form shows of it."""

    handle: Any
    name: str
    entries: tuple[Entry, ...]
    reasons: Mapping[str, str]  # method: why this network cannot serve it
    turn: threading.Lock = field(default_factory=threading.Lock)  # a network answers one at a time

    @property
    def remarks(self) -> str:
        """What was noticed while reading the checkpoint."""
        return "\n".join(self.handle.checkpoint.get("notes", ()))


class VolumeMemo:
    """Remembers the volume last taken from a layer: the mean of a long series takes a while."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()
        self._volume: Volume | None = None

    def volume(self, layer: Layer, frame: Frame) -> Volume:
        """Return the volume behind a layer, from memory where nothing has changed."""
        if layer.ndim < 4:
            return volume_of(layer, frame)
        key = (layer.unique_id, frame, id(layer.data))
        if self._volume is None or self._key != key:
            self._key, self._volume = key, named(volume_of(layer, frame), layer, frame)
        return self._volume


def named(volume: Volume, layer: Layer, frame: Frame) -> Volume:
    """Write into the volume's provenance which frames of the series it holds."""
    if volume.source is None:
        return volume
    count = layer.data.shape[0]
    words = f"mean of {count} frames" if frame == "mean" else f"frame {frame} of {count}"
    return replace(volume, source=replace(volume.source, frame=words))


def facade() -> Any:
    """Return the public face of the package; imported late because it may bring PyTorch along."""
    from g3dvit_napari import api

    return api


def title_of(method: str) -> str:
    """Return a method's title; its name where no such method is known."""
    entry = facade().METHODS.get(method)
    return entry.title if entry is not None else method


def load_model(path: str, spec: str, device: str, report: Report) -> LoadedModel:
    """Load a checkpoint and find out which methods it can serve."""
    first = "" if "torch" in sys.modules else "loading PyTorch and "
    report(0.1, f"{first}the checkpoint")
    api = facade()
    handle = api.load_model(path, spec or None, device)
    report(0.9, "choosing methods")
    reasons = {name: api.why_not(name, handle) for name in api.METHODS}
    unserved = {name: reason for name, reason in reasons.items() if reason}
    return LoadedModel(handle, Path(path).name, tuple(api.METHODS.values()), unserved)


def device_state(handle: Any) -> DeviceState:
    """Return where a network runs and how much memory is free there; None: of this computer."""
    state: DeviceState = facade().device_state(handle)
    return state


def read_layers(path: str, report: Report) -> list[tuple[Any, ...]]:
    """Read a volume file into layer data tuples."""
    from g3dvit_napari.plugin.contributions import read_volume_file

    report(0.1, f"reading {Path(path).name}")
    return read_volume_file(path)


def when(layer: Layer, frame: Frame) -> dict[str, Any]:
    """Return what an explanation of a series says about its time; nothing for a 3-D volume."""
    return {} if layer.ndim < 4 else {"frame": frame, "frames": int(layer.data.shape[0])}


@dataclass(frozen=True, eq=False)
class Inquiry:
    """A request about a volume, which is fetched late because a long series takes a while."""

    model: LoadedModel
    volume: Callable[[], Volume]
    request: ExplanationRequest
    when: Mapping[str, Any] = field(default_factory=dict)  # goes into the provenance

    @property
    def looks_ahead(self) -> bool:
        """Whether other classes are fetched before they are asked for: each takes a while."""
        entries = {entry.name: entry for entry in self.model.entries}
        entry = entries[self.request.method]
        return entry.cost == "one pass" and entry.class_specific


def explain(inquiry: Inquiry, answers: Answers, report: Report) -> Explanation:
    """Explain a volume, from memory where the answer is known."""
    report(0.0, "preparing the volume")
    volume = inquiry.volume()
    with inquiry.model.turn:  # a look ahead leaves it at its next step
        found = _answer(inquiry, answers, volume, report)
    if not inquiry.when:
        return found
    return replace(found, provenance={**found.provenance, **inquiry.when})


def _answer(inquiry: Inquiry, answers: Answers, volume: Volume, report: Report) -> Explanation:
    request = inquiry.request
    if not inquiry.looks_ahead:
        return explained(inquiry, volume, request.target, report)
    question = question_of(volume, request)
    known = answers.recall(question, request.target)
    if known is not None:
        same = known.request.threshold == request.threshold
        found = known if same else rethreshold(known, request.threshold, report)
        return replace(found, origin="memory")
    found = explained(inquiry, volume, request.target, report)
    answers.remember(question, found)
    return found


def look_ahead(inquiry: Inquiry, answers: Answers, report: Report) -> None:
    """Explain the other classes, the likely ones first; each is remembered as it comes.

    One at a time: none takes more memory than the first, and a stop loses one at most.
    """
    volume = inquiry.volume()
    question = question_of(volume, inquiry.request)
    for target in answers.missing(question):
        with inquiry.model.turn:
            answers.remember(question, explained(inquiry, volume, target, report))


def explained(
    inquiry: Inquiry, volume: Volume, target: int | str | None, report: Report
) -> Explanation:
    """Explain one class, and make the answer ready for the threshold."""
    report(0.0, "preparing the volume")  # stops here when it was cancelled while it waited
    request = inquiry.request
    explanation: Explanation = facade().explain(
        volume,
        inquiry.model.handle,
        request.method,
        target,
        threshold=request.threshold,
        objective=request.objective,
        against=request.against,
        progress=report,
        **request.parameters,
    )
    report(1.0, "preparing the threshold")
    for stage in STAGES:  # each sorts its values once, here rather than under the slider
        explanation.scaled.cut(Threshold(stage=stage))
    return explanation


def rethreshold(explanation: Explanation, threshold: Threshold, report: Report) -> Explanation:
    """Cut an explanation elsewhere."""
    report(0.0, "cutting the map")
    result: Explanation = facade().rethreshold(explanation, threshold)
    return result


def save(explanation: Explanation, folder: str, report: Report) -> list[Path]:
    """Write an explanation."""
    report(0.1, "writing")
    paths: list[Path] = facade().save(explanation, folder)
    return paths
