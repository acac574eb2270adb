"""What starts by itself, how soon, and what is said of a map that answers another question."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from made_heads import explanation_of, head
from patience import rest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSpinBox

from g3dvit_napari.plugin.asking.standing import what_ran
from g3dvit_napari.plugin.following import PAUSE_MS
from g3dvit_napari.plugin.picture.layers import to_layer_data

pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def widget(loaded_form):
    loaded_form.show()
    return loaded_form


def compute(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.explained, timeout=10_000):
        qtbot.mouseClick(widget.form.run.button, Qt.MouseButton.LeftButton)
    rest(qtbot, widget)


def pooling(widget):
    choice = type(widget.form.question.targets)
    return widget.form.question.parameters.findChildren(choice)[0]


def test_a_choice_starts_at_once(qtbot, widget, api) -> None:
    compute(qtbot, widget)
    started = time.perf_counter()
    pooling(widget).choose("max")
    qtbot.waitUntil(lambda: len(api.of("explain")) == 2, timeout=5000)
    assert time.perf_counter() - started < PAUSE_MS / 1000
    assert api.of("explain")[1]["pooling"] == "max"


def test_a_number_waits_for_the_next_digit(qtbot, widget) -> None:
    compute(qtbot, widget)
    heard: list[bool] = []
    widget.form.question.changed.connect(heard.append)
    widget.form.question.methods.choose("occlusion")
    widget.form.question.parameters.findChildren(QSpinBox)[0].stepUp()
    assert heard == [False, True]


def test_what_is_shown_is_said_while_the_button_is_waited_for(qtbot, widget) -> None:
    compute(qtbot, widget)
    run = widget.form.run
    assert run.standing.text() == ""
    widget.form.question.methods.choose("occlusion")
    assert run.standing.text() == "Shown: lesion by G3D-ViT. Press Compute for Occlusion."
    assert run.button.text() == "Compute (many passes)"
    widget.form.question.targets.choose(0)
    assert run.standing.text().endswith("Press Compute for healthy by Occlusion.")
    compute(qtbot, widget)
    assert run.standing.text() == ""
    widget.form.question.methods.choose("g3dvit")  # quick: on its way, so nothing is said
    assert run.standing.text() == ""
    assert run.button.text() == "Compute"
    with qtbot.waitSignal(widget.controller.explained, timeout=5000):
        pass
    rest(qtbot, widget)


def test_unfollowed_changes_are_told(qtbot, viewer, widget) -> None:
    compute(qtbot, widget)
    run = widget.form.run
    run.live.setChecked(False)
    pooling(widget).choose("max")
    assert run.standing.text().endswith("Press Compute for the new settings.")
    pooling(widget).choose("mean")
    assert run.standing.text() == ""
    data, keywords = to_layer_data(head())
    widget.choose_layer(viewer.add_image(data, **keywords | {"name": "second"}))
    assert run.standing.text().endswith("Press Compute for second.")


@pytest.mark.parametrize(
    ("origin", "cost", "words"),
    [
        ("memory", "one pass", "from memory"),
        ("kept pass", "instant", "from the kept pass (0.10\u00a0s)"),
        ("kept pass", "one pass", "from the kept pass and one back (0.10\u00a0s)"),
        ("network", "instant", "ran the network (0.10\u00a0s)"),
        ("kept pass", "many passes", "many passes (0.10\u00a0s)"),
    ],
)
def test_what_an_answer_took(origin, cost, words) -> None:
    assert what_ran(replace(explanation_of(head()), origin=origin), cost) == words


def test_memory_says_so(qtbot, widget) -> None:
    widget.form.question.methods.choose("libra_grad")
    compute(qtbot, widget)
    with qtbot.waitSignal(widget.controller.explained, timeout=5000):
        widget.form.question.targets.choose(0)
    rest(qtbot, widget)
    assert widget.form.run.result.text().endswith("from memory")
