"""The bars: there before anything is computed, true to what is asked, and a way to ask."""

from __future__ import annotations

import threading
from math import nan

import pytest
from made_heads import explanation_of, head
from patience import rest
from qtpy.QtCore import QPoint, Qt
from stand_in import StandIn

from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.core.types import Prediction
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.prediction.bar_row import PREDICTED, SHARE, VALUE
from g3dvit_napari.plugin.prediction.bars import MOST_ROWS, TOP, PredictionBars, measure
from g3dvit_napari.plugin.widget import ExplainWidget

NAMES = tuple(f"tract {number}" for number in range(125))
LOGITS = tuple(float((number * 37) % 125) for number in range(125))  # tract 27 has the largest: 124
SURE = Prediction((-1.0, 2.0), (0.05, 0.95), ("healthy", "lesion"))


@pytest.fixture
def bars(qtbot) -> PredictionBars:
    bars = PredictionBars()
    qtbot.addWidget(bars)
    bars.resize(280, 200)
    bars.show()
    return bars


@pytest.fixture
def many(bars) -> PredictionBars:
    bars.offer(NAMES)
    bars.show_prediction(Prediction(LOGITS, tuple(x / 7750 for x in LOGITS), NAMES))
    return bars


def texts(bars: PredictionBars) -> list[str]:
    return [bars.list.item(row).text() for row in range(bars.list.count())]


def row(bars: PredictionBars, number: int) -> QPoint:
    item = bars.list.item(bars.numbers().index(number))
    return bars.list.visualItemRect(item).center()


def press(qtbot, bars: PredictionBars, number: int) -> None:
    qtbot.mouseClick(bars.list.viewport(), Qt.MouseButton.LeftButton, pos=row(bars, number))


def test_likeliest_first_and_the_chosen_one_among_them(many) -> None:
    assert texts(many) == ["tract 27", "tract 54", "tract 81"]
    many.choose(0)
    assert texts(many) == ["tract 27", "tract 54", "tract 0"]
    assert many.list.currentRow() == 2
    many.choose(None)
    assert texts(many) == ["tract 27", "tract 54", "tract 81"]
    assert many.list.currentRow() == 0


def test_all_classes_are_listed_in_a_bounded_height(qtbot, many) -> None:
    low = many.list.height()
    qtbot.mouseClick(many.more, Qt.MouseButton.LeftButton)
    assert many.list.count() == 125
    assert many.list.height() * TOP == low * MOST_ROWS
    assert many.list.verticalScrollBar().maximum() > 0
    qtbot.mouseClick(many.more, Qt.MouseButton.LeftButton)
    assert many.list.count() == TOP


def test_few_classes_have_no_list_to_unfold(bars) -> None:
    bars.offer(("no lesion", "left", "right"))
    assert bars.more.isHidden()
    assert bars.list.item(0).data(VALUE) == "…"
    bars.offer(())
    assert bars.isHidden()


def test_numbers_and_shares(bars) -> None:
    bars.offer(SURE.class_names)
    bars.show_prediction(SURE)
    assert texts(bars) == ["lesion", "healthy"]
    item = bars.list.item(0)
    assert (item.data(SHARE), item.data(VALUE), item.data(PREDICTED)) == (0.95, "95.0 %", True)
    assert not bars.list.item(1).data(PREDICTED)
    assert item.data(Qt.ItemDataRole.AccessibleTextRole) == "lesion, 95.0 %, predicted"


def test_a_value_has_no_bar(bars) -> None:
    age = Prediction((71.258,), (nan,), ("age",))
    bars.offer(age.class_names)
    bars.show_prediction(age)
    item = bars.list.item(0)
    assert (item.data(SHARE), item.data(VALUE), item.data(PREDICTED)) == (0.0, "71.26", False)


@pytest.mark.parametrize(
    ("chance", "words"),
    [(0.0, "< 0.1 %"), (0.0004, "< 0.1 %"), (0.0006, "0.1 %"), (1.0, "> 99.9 %")],
)
def test_small_is_not_nothing(chance, words) -> None:
    assert measure(Prediction((0.0,), (chance,), ("a",)), 0) == (chance, words)


def test_names_are_no_markup_and_long_ones_are_told_whole(bars) -> None:
    name = "<b>left</b> " + "very " * 30 + "long"
    bars.offer((name, "b"))
    assert "&lt;b&gt;left" in bars.list.item(0).toolTip()
    assert "very very long" in bars.list.item(0).toolTip()
    assert bars.minimumSizeHint().width() <= 280


def test_keys_and_clicks_choose_once_each(qtbot, many) -> None:
    heard: list[int] = []
    many.class_chosen.connect(heard.append)
    many.list.setFocus()
    qtbot.keyClick(many.list, Qt.Key.Key_Down)
    assert heard == [54]
    press(qtbot, many, 81)
    assert heard == [54, 81]
    press(qtbot, many, 81)
    qtbot.keyClick(many.list, Qt.Key.Key_Space)
    qtbot.keyClick(many.list, Qt.Key.Key_Return)
    assert heard == [54, 81, 81, 81, 81]


# --- in the widget --------------------------------------------------------------------------------


@pytest.fixture
def widget(qtbot, viewer, api: StandIn):
    del api
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    widget.resize(300, 800)
    widget.show()
    yield widget
    widget.controller.close()
    rest(qtbot, widget)


def add_head(viewer, **how):
    data, keywords = to_layer_data(head(**how))
    return viewer.add_image(data, **keywords)


def load(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")


def bars_of(widget) -> PredictionBars:
    return widget.prediction.bars


@pytest.fixture
def ready(qtbot, viewer, widget):
    add_head(viewer)
    load(qtbot, widget)
    rest(qtbot, widget)
    return widget


def test_bars_come_by_themselves(ready, api) -> None:
    assert not api.of("explain")
    assert bars_of(ready).prediction == SURE
    assert texts(bars_of(ready)) == ["lesion", "healthy"]
    assert "95" in ready.form.question.targets.itemText(2)  # the form's list knows them, too


def test_another_volume_is_asked_about_anew(qtbot, viewer, ready, api) -> None:
    ready.choose_layer(add_head(viewer, spacing=(3.0, 3.0, 3.0)))
    assert bars_of(ready).prediction is None
    rest(qtbot, ready)
    assert [call["volume"].spacing_mm[0] for call in api.of("predict")] == pytest.approx([4.0, 3.0])
    assert bars_of(ready).prediction == SURE
    viewer.layers.clear()
    assert bars_of(ready).prediction is None
    assert "choose one" in bars_of(ready).note.text()


def test_a_class_is_explained_by_one_click(qtbot, ready, api) -> None:
    with qtbot.waitSignal(ready.controller.explained, timeout=5000):
        press(qtbot, bars_of(ready), 0)
    rest(qtbot, ready)
    assert [call["target"] for call in api.of("explain")] == [0]
    assert ready.form.question.target == 0
    with qtbot.waitSignal(ready.controller.explained, timeout=5000):
        press(qtbot, bars_of(ready), 1)  # the predicted one
    rest(qtbot, ready)
    assert ready.form.question.target is None
    ready.form.question.targets.choose(0)  # and the other way round
    assert bars_of(ready).list.currentRow() == 1


def test_a_known_class_is_not_explained_again(qtbot, ready, api) -> None:
    with qtbot.waitSignal(ready.controller.explained, timeout=5000):
        press(qtbot, bars_of(ready), 0)
    rest(qtbot, ready)
    press(qtbot, bars_of(ready), 0)
    qtbot.wait(60)
    assert len(api.of("explain")) == 1


def test_many_passes_wait_for_the_button(qtbot, ready, api) -> None:
    ready.form.question.methods.choose("occlusion")
    press(qtbot, bars_of(ready), 0)
    qtbot.wait(60)
    assert not api.of("explain")
    assert ready.form.question.target == 0
    assert ready.form.run.button.text() == "Compute (many passes)"


def test_one_map_for_all_classes_offers_no_class(ready) -> None:
    ready.form.question.methods.choose("rollout")
    assert not bars_of(ready).list.isEnabled()
    assert "same for every class" in bars_of(ready).list.toolTip()


def test_a_prediction_that_fails_is_told_quietly(qtbot, viewer, widget, api, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise SpecError("the spec leaves open: crop; add it")

    monkeypatch.setattr(api, "predict", refuse)
    add_head(viewer)
    failures: list[str] = []
    widget.controller.failed.connect(failures.append)
    load(qtbot, widget)
    rest(qtbot, widget)
    assert "leaves open: crop" in bars_of(widget).note.text()
    assert not failures
    with qtbot.waitSignal(widget.controller.explained):
        widget.compute()
    assert bars_of(widget).note.text() == ""
    assert bars_of(widget).prediction == SURE


def test_a_slow_prediction_does_not_keep_compute_waiting_twice(
    qtbot, viewer, widget, api, monkeypatch
) -> None:
    """The explanation goes on with the pass that is running; the form shows that pass."""
    begun, go, whole = threading.Event(), threading.Event(), api.predict

    def slow(volume, model, progress):
        begun.set()
        while not go.wait(0.02):
            progress(0.5, "running the network")
        return whole(volume, model, progress)

    monkeypatch.setattr(api, "predict", slow)
    add_head(viewer)
    load(qtbot, widget)
    qtbot.waitUntil(begun.is_set)
    qtbot.mouseClick(widget.form.run.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "running the network" in widget.form.run.stage.text())
    assert widget.form.run.button.text() == "Cancel"
    with qtbot.waitSignal(widget.controller.explained):
        go.set()
    rest(qtbot, widget)
    assert len(api.of("predict")) == len(api.of("explain")) == 1


def test_cancel_stops_a_slow_prediction(qtbot, viewer, widget, api) -> None:
    api.steps, api.pause = 500, 0.02
    add_head(viewer)
    load(qtbot, widget)
    qtbot.waitUntil(lambda: bool(api.of("predict")))
    widget.controller.cancel()
    rest(qtbot, widget)
    assert "Stopped" in bars_of(widget).note.text()
    api.steps = 1
    with qtbot.waitSignal(widget.controller.explained):
        widget.compute()
    assert bars_of(widget).note.text() == ""


def test_an_answer_about_another_volume_leaves_the_bars(qtbot, viewer, ready) -> None:
    other = add_head(viewer, spacing=(3.0, 3.0, 3.0))
    strange = explanation_of(head(spacing=(3.0, 3.0, 3.0)))
    object.__setattr__(strange, "prediction", Prediction((9.0, 0.0), (1.0, 0.0), SURE.class_names))
    ready.controller.show(other, strange)
    rest(qtbot, ready)
    assert bars_of(ready).prediction == SURE
    assert "95" in ready.form.question.targets.itemText(2)
