"""The window stays awake while real networks load, explain and are compared."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from patience import rest
from pulse import STALL_MS, Pulse

from g3dvit_napari.core.types import ExplanationRequest, Threshold
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.plugin.comparing.kinds import Plan, Variant
from g3dvit_napari.plugin.lane import Lane
from g3dvit_napari.plugin.widget import open_form

pytestmark = pytest.mark.window
AWAITED = ("loading the model", "the explanation", "the comparison")
TRIES = 8  # a busy machine stalls now and then, a mistake of ours every time
COMPARED = Plan("methods", tuple(Variant(name, name) for name in ("g3dvit", "saliency")))


HOME: list[float] = []
_take = Lane._on_returned


def _noted(lane: Lane, result: object) -> None:  # lives on: PyQt keeps no reference to a slot
    if lane._name in AWAITED:
        HOME.append(time.perf_counter())
    _take(lane, result)


@pytest.fixture
def home(monkeypatch) -> list[float]:
    """When results came home: what is done with them then is napari's drawing."""
    monkeypatch.setattr(Lane, "_on_returned", _noted)
    HOME.clear()
    return HOME


@pytest.fixture
def widget(qtbot, make_napari_viewer, home):  # noqa: ARG001 (first: lanes bind what it notes)
    """The form with the sample brain and its network."""
    widget = open_form(make_napari_viewer(show=True))
    controller = widget.controller
    with qtbot.waitSignals([controller.model_changed, controller.volume_opened], timeout=60_000):
        controller.open_volume(str(sample_path("brain.nii.gz")))
        load(widget, "brain_vit")
    rest(qtbot, widget)
    return widget


def load(widget, network: str = "brain_swin") -> None:  # one that is probed: that takes a while
    widget.load_checkpoint(str(sample_path(f"{network}.pth")), spec="")


def layer_of(widget):
    return widget._viewer.layers[0]


def asked(method: str, **parameters) -> ExplanationRequest:
    return ExplanationRequest(method, None, parameters, Threshold("keep", 5.0, "voxels"))


def one_pass(widget) -> None:
    widget.controller.model.handle.forget()  # so that the network runs
    widget.controller.explain(layer_of(widget), "mean", asked("hires_cam"))


def many_passes(widget) -> None:
    request = asked("integrated_gradients", steps=8)
    widget.controller.explain(layer_of(widget), "mean", request)


def compare(widget) -> None:
    widget.controller.model.handle.forget()
    widget.controller.compare(layer_of(widget), "mean", asked("g3dvit"), COMPARED)


@pytest.mark.parametrize("work", [load, one_pass, many_passes, compare])
def test_window_stays_awake(qtbot, widget, home, work: Callable) -> None:
    lanes = widget.controller.lanes
    pulse, stalls = Pulse(), []
    for _ in range(TRIES):
        home.clear()
        work(widget)
        assert lanes.busy
        beats = pulse.beats_until(qtbot, lambda: home and not lanes.busy)
        stalls.append(longest_ms(beats, home[0]))
        rest(qtbot, widget)
        if stalls[-1] < STALL_MS:
            break
    assert min(stalls) < STALL_MS, stalls


def longest_ms(beats: list[float], end: float) -> float:
    """Return the longest pause between two beats up to an end."""
    return float(np.diff([*(beat for beat in beats if beat < end), end]).max() * 1000)
