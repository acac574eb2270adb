"""The badge in the foot: device, memory, and how long it took last time."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from made_heads import explanation_of, head

from g3dvit_napari.plugin.asking import device_watch
from g3dvit_napari.plugin.asking.device_watch import DeviceWatch, in_words
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.widget import ExplainWidget


@pytest.fixture
def widget(qtbot, viewer, api, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr(device_watch, "EVERY_MS", 20)
    monkeypatch.setattr(device_watch, "GLANCE_MS", 5)
    data, keywords = to_layer_data(head())
    viewer.add_image(data, **keywords)
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    yield widget
    watch_of(widget).detach()
    widget.controller.close()
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest, timeout=20_000)


def watch_of(widget) -> DeviceWatch:
    return next(feature for feature in widget.features if isinstance(feature, DeviceWatch))


def shown(qtbot, widget, words: str) -> None:
    qtbot.waitUntil(lambda: widget.form.run.device.text() == words, timeout=20_000)


def test_badge_names_device_and_memory(qtbot, widget, api) -> None:
    shown(qtbot, widget, "Memory · 3.0 of 8.0 GB free")
    widget.load_checkpoint("/d/vit.pth")
    shown(qtbot, widget, "CPU, 2 threads · 3.0 of 8.0 GB free")
    assert threading.get_ident() not in api.threads


def test_memory_is_looked_up_during_a_run(qtbot, widget, api, monkeypatch) -> None:
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest, timeout=20_000)  # the prediction, too
    api.steps, api.pause = 100_000, 0.01  # until it is cancelled
    widget.compute()
    qtbot.waitUntil(lambda: bool(api.of("explain")), timeout=20_000)
    less = type(api).device_state(api, None)
    monkeypatch.setattr(api, "device_state", lambda _model: replace(less, free=1 << 30))
    shown(qtbot, widget, "Memory · 1.0 of 8.0 GB free")
    assert widget.controller.lanes.busy
    widget.controller.cancel()


def test_time_of_the_last_run_is_told_for_the_same_question(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    words = "CPU, 2 threads · 3.0 of 8.0 GB free"
    shown(qtbot, widget, words)
    form = widget.form
    form.question.methods.choose("occlusion")
    found = explanation_of(head())
    asked = replace(found, request=form.request(), seconds=4.2)
    widget.controller.explained.emit(asked)
    shown(qtbot, widget, f"{words} · about 4\u00a0s")
    form.question.methods.choose("g3dvit")
    shown(qtbot, widget, words)  # never measured: nothing is promised
    form.question.methods.choose("occlusion")
    shown(qtbot, widget, f"{words} · about 4\u00a0s")
    widget.load_checkpoint("/d/other.pth")
    shown(qtbot, widget, words)  # another network


def test_quick_runs_need_no_word(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    asked = replace(explanation_of(head()), request=widget.form.request(), seconds=0.4)
    widget.controller.explained.emit(asked)
    shown(qtbot, widget, "CPU, 2 threads · 3.0 of 8.0 GB free")


def test_closed_dock_looks_no_more(qtbot, widget, api, monkeypatch) -> None:
    shown(qtbot, widget, "Memory · 3.0 of 8.0 GB free")
    watch_of(widget).detach()
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest, timeout=20_000)
    looked = []
    monkeypatch.setattr(api, "device_state", looked.append)
    qtbot.wait(100)
    assert looked == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1.2, "about 1\u00a0s"), (59.0, "about 59\u00a0s"), (130.0, "about 2\u00a0min")],
)
def test_durations_in_words(seconds, words) -> None:
    assert in_words(seconds) == words
