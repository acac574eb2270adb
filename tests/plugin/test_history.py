"""Earlier results come back as they were, with their questions, and never take much memory."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from made_heads import explanation_of, head
from patience import rest
from qtpy.QtCore import Qt

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.history import past as past_module
from g3dvit_napari.plugin.history.packing import bytes_of, is_packed, packed, unpack
from g3dvit_napari.plugin.history.past import MOST_RESULTS, Past, Result
from g3dvit_napari.plugin.picture.layers import series_layer_data, to_layer_data

pytestmark = pytest.mark.usefixtures("api")


def layer_of(viewer, **how):
    data, keywords = to_layer_data(head(**how))
    return viewer.add_image(data.copy(), **keywords)


def silent(_fraction: float, _words: str) -> None:
    """Report to nobody."""


# --- the list -------------------------------------------------------------------------------------


@pytest.fixture
def layer(viewer):
    return layer_of(viewer)


@pytest.fixture
def answers():
    volume = head()
    return [explanation_of(volume, target=n % 2) for n in range(MOST_RESULTS + 3)]


def test_new_results_are_appended_also_after_going_back(layer, answers) -> None:
    past = Past()
    for answer in answers[:3]:
        past.take(Result(layer, answer))
    past.turn_to(past.results[0], answers[0])
    past.take(Result(layer, answers[3]))
    assert [r.explanation for r in past.results] == answers[:4]
    assert past.place == 3
    assert past.step(1) is None
    assert past.step(-1) is past.results[2]


def test_a_cut_of_the_result_on_show_is_no_new_result(layer, answers) -> None:
    past = Past()
    past.take(Result(layer, answers[0]))
    past.take(Result(layer, answers[1]))
    past.turn_to(past.results[0], answers[0])
    cut = replace(answers[0], cut=0.25)
    past.take(Result(layer, cut))
    assert [r.explanation for r in past.results] == [cut, answers[1]]
    assert past.place == 0


def test_an_answer_that_comes_again_moves_to_the_end(layer, answers) -> None:
    past = Past()
    for answer in (answers[0], answers[1], replace(answers[0], origin="memory")):
        past.take(Result(layer, answer))
    assert [r.explanation.origin for r in past.results] == ["network", "memory"]
    assert past.place == 1


def test_the_oldest_goes_when_there_are_too_many(layer, answers) -> None:
    past = Past()
    for answer in answers:
        past.take(Result(layer, answer))
    assert [r.explanation for r in past.results] == answers[-MOST_RESULTS:]


def test_results_of_a_removed_layer_vanish(viewer, layer, answers) -> None:
    other, past = layer_of(viewer), Past()
    for number, answer in enumerate(answers[:4]):
        past.take(Result((layer, other)[number % 2], answer))
    past.drop(other)
    assert [r.explanation for r in past.results] == [answers[0], answers[2]]
    assert past.now is None
    assert past.step(-1) is past.results[1]
    past.drop(layer)
    assert (past.results, past.place) == ([], 0)


def test_memory_is_bounded_and_what_is_packed_comes_back_exactly(layer, monkeypatch) -> None:
    volume = replace(head(), data=layer.data.transpose())
    one = explanation_of(volume, target=1, threshold=Threshold("keep", 10.0, "patches"))
    one.scaled.cut(Threshold("mass", 50.0, "voxels"))
    size = bytes_of([(one, layer.data)])
    voxels = volume.data.size
    assert size > voxels * (4 + 1 + 4)  # as saved, field of view, smooth
    room = int(2.5 * size)
    monkeypatch.setattr(past_module, "MOST_BYTES", room)
    past, made = Past(), [explanation_of(volume, target=n % 2) for n in range(8)]
    past.take(Result(layer, one))
    for answer in made:
        answer.scaled.cut(Threshold("mass", 50.0, "voxels"))
        past.take(Result(layer, answer))
        assert bytes_of((r.explanation, layer.data) for r in past.results) <= room
    assert len(past.results) == 9
    assert is_packed(past.results[0].explanation)
    assert not is_packed(past.now.explanation)
    again = unpack(past.results[0].explanation, silent)
    np.testing.assert_array_equal(again.relevance.data, one.relevance.data)
    np.testing.assert_array_equal(again.field_of_view.data, one.field_of_view.data)
    np.testing.assert_array_equal(again.scaled.voxels, one.scaled.voxels)
    assert (again.cut, again.request) == (one.cut, one.request)
    assert again.patch_map is one.patch_map


def test_results_go_where_even_packed_ones_are_too_much(layer, monkeypatch) -> None:
    monkeypatch.setattr(past_module, "MOST_BYTES", 1)
    past = Past()
    for _ in range(3):
        past.take(Result(layer, explanation_of(head())))
    assert len(past.results) == 1
    assert past.now is past.results[0]


def test_a_packed_result_holds_almost_nothing(layer) -> None:
    volume = replace(head(), data=layer.data.transpose())
    small = packed(explanation_of(volume))
    assert bytes_of([(small, layer.data)]) < volume.data.size


# --- in the widget --------------------------------------------------------------------------------


@pytest.fixture
def widget(loaded_form):
    loaded_form.show()
    return loaded_form


def desk(widget):
    return widget.history


def compute(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.explained, timeout=10_000):
        widget.compute()
    rest(qtbot, widget)


def question(widget):
    request = widget.form.request()
    return request.method, request.target, dict(request.parameters), request.threshold


@pytest.fixture
def two(qtbot, widget):
    """A widget that has answered two different questions; what they were."""
    widget.form.run.live.setChecked(False)
    widget.form.question.targets.choose(0)
    widget.form.question.parameters.findChildren(type(widget.form.question.targets))[0].choose(
        "max"
    )
    widget.form.threshold.choose(Threshold("mass", 40.0, "voxels"))
    compute(qtbot, widget)
    first = question(widget)
    widget.form.question.targets.choose(-1)
    widget.form.question.methods.choose("libra_grad")
    compute(qtbot, widget)
    return widget, first, question(widget)


def test_back_and_forth_without_the_network(qtbot, two, api) -> None:
    widget, first, second = two
    widget.form.run.live.setChecked(True)
    known = widget.controller.explanation
    asked = len(api.of("explain"))
    bar = desk(widget).bar
    assert (bar.place.text(), bar.next.isEnabled()) == ("2 of 2", False)
    qtbot.mouseClick(bar.previous, Qt.MouseButton.LeftButton)
    assert question(widget) == first == ("g3dvit", 0, {"pooling": "max", "block": -1}, first[3])
    assert widget.controller.explanation.target == 0
    assert widget.controller.overlay.explanation is widget.controller.explanation
    assert (bar.place.text(), bar.previous.isEnabled()) == ("1 of 2", False)
    assert "no older" in bar.previous.toolTip()
    qtbot.mouseClick(bar.next, Qt.MouseButton.LeftButton)
    assert question(widget) == second
    assert widget.controller.explanation is known
    qtbot.wait(400)  # nothing follows
    rest(qtbot, widget)
    assert len(api.of("explain")) == asked
    assert len(desk(widget).past.results) == 2
    assert widget.form.run.standing.text() == ""


def test_a_cut_of_an_earlier_result_stays_with_it(qtbot, two) -> None:
    widget, *_ = two
    desk(widget).step(-1)
    with qtbot.waitSignal(widget.controller.explained, timeout=5000):
        widget.form.threshold.slider.setValue(80.0)
    rest(qtbot, widget)
    desk(widget).step(1)
    desk(widget).step(-1)
    assert widget.form.threshold.threshold() == Threshold("mass", 80.0, "voxels")
    assert len(desk(widget).past.results) == 2


def test_a_pending_cut_does_not_reach_another_result(qtbot, two, api) -> None:
    widget, _, second = two
    api.rethreshold, real = (lambda e, t: (qtbot.wait, real(e, t))[1]), api.rethreshold
    widget.controller.settle(Threshold("mass", 77.0, "voxels"))  # on its way when we leave
    desk(widget).step(-1)
    rest(qtbot, widget)
    assert widget.controller.explanation.target == 0
    desk(widget).step(1)
    assert widget.controller.explanation.request.threshold == second[3]


def test_packed_results_come_back(qtbot, two, monkeypatch) -> None:
    widget, first, _ = two
    past = desk(widget).past
    past.results[0].explanation = packed(past.results[0].explanation)
    monkeypatch.setattr(past_module, "MOST_BYTES", 1 << 30)
    with qtbot.waitSignal(widget.controller.explained, timeout=5000):
        desk(widget).step(-1)
    assert question(widget) == first
    assert np.isfinite(widget.controller.explanation.relevance.data).any()


def test_another_volume_is_chosen_again(qtbot, viewer, two) -> None:
    widget, first, _ = two
    before = widget.form.volume.layer
    other = layer_of(viewer, spacing=(3.0, 3.0, 3.0))
    widget.choose_layer(other)
    rest(qtbot, widget)
    compute(qtbot, widget)
    assert widget.controller.anatomy is other
    desk(widget).step(-2)
    rest(qtbot, widget)
    assert widget.form.volume.layer == before
    assert question(widget) == first
    assert widget.prediction.bars.prediction == widget.controller.explanation.prediction
    viewer.layers.remove(other)
    assert desk(widget).bar.place.text() == "1 of 2"


def test_frames_of_a_series_come_back(qtbot, viewer, widget) -> None:
    volume = head()
    frames = np.stack([volume.data.transpose() + n for n in range(5)])
    series, keywords = series_layer_data(frames, volume, repetition_time=2.0)
    layer = viewer.add_image(series, **keywords)
    widget.choose_layer(layer)
    widget.form.volume.frames.choose("current")
    viewer.dims.set_point(0, 6.0)
    compute(qtbot, widget)
    widget.form.volume.frames.choose("mean")
    compute(qtbot, widget)
    viewer.dims.set_point(0, 0.0)
    desk(widget).step(-1)
    assert widget.form.volume.frame == "current"
    assert widget.controller.frame_index(layer) == 3
    assert "frame 3 of 5" in desk(widget).bar.place.toolTip()
    desk(widget).step(1)
    assert widget.form.volume.frame == "mean"


def test_another_network_starts_afresh(qtbot, two) -> None:
    widget, *_ = two
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/other.pth")
    rest(qtbot, widget)
    assert desk(widget).past.results == []
    assert desk(widget).bar.isHidden()


def test_a_closed_form_keeps_nothing(qtbot, two) -> None:
    widget, *_ = two
    kept = [weakref.ref(result.explanation) for result in desk(widget).past.results]
    widget.setParent(None)
    widget._detach()
    rest(qtbot, widget)
    gc.collect()
    assert [ref() for ref in kept] == [None, None]
    widget._attach()
