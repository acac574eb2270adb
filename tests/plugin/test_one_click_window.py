"""In a real window: bars before any computing, a click on one, back and forth by keys."""

from __future__ import annotations

import pytest
from patience import rest
from qtpy.QtCore import Qt
from torch import nn

from g3dvit_napari.plugin.settings import PLUGIN
from g3dvit_napari.plugin.widget import open_form

pytestmark = pytest.mark.window


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 860)
    return viewer


def press(qtbot, bars, row: int) -> None:
    place = bars.list.visualItemRect(bars.list.item(row)).center()
    qtbot.mouseClick(bars.list.viewport(), Qt.MouseButton.LeftButton, pos=place)


def runs_of(network: nn.Module) -> list[int]:
    """Return a list that grows with every pass: each embeds the patches once."""
    runs: list[int] = []
    network.to_patch_embedding.register_forward_hook(lambda *_: runs.append(1))
    return runs


def test_one_click_from_class_to_class(qtbot, window, tiny_files) -> None:
    window.open(str(tiny_files / "scan.nii.gz"), plugin=PLUGIN)
    widget = open_form(window)
    controller, form = widget.controller, widget.form
    widget.load_checkpoint(str(tiny_files / "vit.pth"))
    bars, bar = widget.prediction.bars, widget.history.bar
    qtbot.waitUntil(lambda: bars.prediction is not None, timeout=60_000)
    rest(qtbot, widget)
    assert controller.explanation is None
    assert len(window.layers) == 1
    assert bars.list.isVisible()
    runs = runs_of(controller.model.handle.network)

    for row in (1, 0):
        with qtbot.waitSignal(controller.explained, timeout=20_000):
            press(qtbot, bars, row)
        rest(qtbot, widget)
        shown = bars.prediction.class_names[bars.numbers()[row]]
        assert window.layers[1].name.startswith(shown)
        assert form.question.targets.currentText().startswith(shown)
        assert controller.explanation.target_name == shown
    assert "kept pass" in form.run.result.text()
    assert not runs

    second, first = shown, bars.prediction.class_names[bars.numbers()[1]]
    assert bar.place.text() == "2 of 2"
    qtbot.mouseClick(bar.previous, Qt.MouseButton.LeftButton)
    assert window.layers[1].name.startswith(first)
    assert form.question.targets.currentText().startswith(first)
    assert bars.list.currentRow() == 1
    form.window().activateWindow()
    bars.list.setFocus()
    qtbot.waitUntil(bars.list.hasFocus)
    qtbot.keyClick(bars.list, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert window.layers[1].name.startswith(second)
    with qtbot.waitSignal(controller.explained, timeout=20_000):
        qtbot.keyClick(bars.list, Qt.Key.Key_Down)  # arrows explain, too
    rest(qtbot, widget)
    assert window.layers[1].name.startswith(first)
    assert len(window.layers) == 2
    assert not runs
    controller.model.handle.forget()  # what must run again says so
    with qtbot.waitSignal(controller.explained, timeout=20_000):
        qtbot.mouseClick(form.run.button, Qt.MouseButton.LeftButton)
    rest(qtbot, widget)
    assert runs == [1]
    assert "ran the network" in form.run.result.text()


def test_question_and_threshold_are_in_sight(qtbot, window, tiny_files) -> None:
    window.open(str(tiny_files / "scan.nii.gz"), plugin=PLUGIN)
    widget = open_form(window)
    widget.load_checkpoint(str(tiny_files / "vit.pth"))
    qtbot.waitUntil(lambda: widget.controller.model is not None, timeout=60_000)
    rest(qtbot, widget)
    model, form = widget.form.model, widget.form
    assert not model.devices.isVisible()
    assert "cpu" in model.fold.text()
    with qtbot.waitSignal(widget.controller.explained, timeout=20_000):
        qtbot.mouseClick(form.run.button, Qt.MouseButton.LeftButton)  # the first steps are taken
    page = form.pages.currentWidget()
    kinds, sight = form.threshold.kinds, page.viewport()
    qtbot.waitUntil(lambda: kinds.mapTo(sight, kinds.rect().bottomLeft()).y() <= sight.height())
    qtbot.mouseClick(model.fold, Qt.MouseButton.LeftButton)
    assert model.devices.isVisible()
    assert model.summary.isVisible()
    form.question.methods.choose("occlusion")
    assert form.minimumSizeHint().width() <= 280
