"""The page "Is it true?" in a real window: real checks by clicks and keys, awake all the while."""

from __future__ import annotations

import json

import numpy as np
import pytest
from patience import rest
from pointer import click, move_to
from pulse import STALL_MS, Pulse
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QDockWidget

from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.plugin.judging.ask_box import AskBox
from g3dvit_napari.plugin.judging.random_box import RandomBox
from g3dvit_napari.plugin.judging.score_box import ScoreBox
from g3dvit_napari.plugin.settings import PLUGIN
from g3dvit_napari.plugin.widget import open_form

pytestmark = pytest.mark.window
TRIES = 8  # a busy machine stalls now and then, a mistake of ours every time


def opened(qtbot, make_napari_viewer, volume, network):
    """Return a window with a map, and the page in front."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 960)
    viewer.open(str(volume), plugin=PLUGIN)
    widget = open_form(viewer)
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint(str(network), spec="")
    rest(qtbot, widget)
    with qtbot.waitSignal(widget.controller.explained, timeout=60_000):
        click(qtbot, widget.form.run.button)
    rest(qtbot, widget)
    widget.form.turn_to("True?")
    QApplication.processEvents()
    return viewer, widget


@pytest.fixture
def tiny(qtbot, make_napari_viewer, tiny_files):
    return opened(qtbot, make_napari_viewer, tiny_files / "scan.nii.gz", tiny_files / "vit.pth")


def part(widget, kind):
    (found,) = widget.findChildren(kind)
    return found


def line_place(ticks, value: str) -> tuple[int, QPoint]:
    """Return the row of a line, and the place of its tick."""
    values = [ticks.item(row).data(Qt.ItemDataRole.UserRole) for row in range(ticks.count())]
    row = values.index(value)
    ticks.scrollToItem(ticks.item(row))
    place = ticks.visualItemRect(ticks.item(row))
    return row, QPoint(place.left() + 10, place.center().y())


def test_a_map_is_judged_by_clicks_and_keys(qtbot, tiny, screenshots, tmp_path, monkeypatch):
    viewer, widget = tiny
    ask, scores = part(widget, AskBox), part(widget, ScoreBox)
    qtbot.waitUntil(lambda: "passes of the network" in ask.cost.text(), timeout=20_000)
    drawn = viewer.layers[0]
    inside = np.zeros(drawn.data.shape, int)
    inside[3:8, 8:14, 5:9] = 1
    viewer.add_labels(inside, name="lesion", scale=drawn.scale, translate=drawn.translate)
    ask.truth.choice.setFocus()
    qtbot.keyClick(ask.truth.choice, Qt.Key.Key_Down)
    ask.truth.choice.activated.emit(ask.truth.choice.currentIndex())  # no popup was open
    assert ask.truth.choice.currentText() == "lesion"
    click(qtbot, ask.metrics_fold, QPoint(8, 8))
    assert ask.metrics.isVisible()
    for value in ("insertion", "class_sensitivity", "model_randomisation"):
        _, place = line_place(ask.metrics, value)
        click(qtbot, ask.metrics.viewport(), place)
    row, _ = line_place(ask.metrics, "pixel_accuracy")
    ask.metrics.setCurrentRow(row)
    qtbot.keyClick(ask.metrics, Qt.Key.Key_Space)
    assert {"deletion", "relevance_mass", "pixel_accuracy"} <= set(ask.metrics.ticked)
    assert "insertion" not in ask.metrics.ticked
    ask.go.setFocus()
    qtbot.keyClick(ask.go, Qt.Key.Key_Space)
    assert widget.controller.lanes.busy
    rest(qtbot, widget)
    assert ask.light.mark.colour in ("red", "amber", "green")
    rows = {row.score.metric: row.score for row in scores.table.rows}
    assert 0 < rows["deletion"].value < 1
    assert rows["relevance_mass"].ceiling == pytest.approx(1.0, abs=0.9)
    share = inside[widget.controller.explanation.field_of_view.data.T > 0].mean()
    assert rows["relevance_mass"].chance == pytest.approx(share)
    widget.form.turn_to("Look")
    widget.form.turn_to("True?")
    assert scores.table.rows  # they survive the turn of a page
    page = widget.form.pages.currentWidget()
    page.ensureWidgetVisible(scores.plot)
    move_to(scores.plot, QPoint(scores.plot.width() // 2, 100))
    qtbot.waitUntil(lambda: scores.plot.read_out.endswith(" %"))
    place = "qtpy.QtWidgets.QFileDialog.getExistingDirectory"
    monkeypatch.setattr(place, lambda *_, **__: str(tmp_path / "out"))
    click(qtbot, scores.save)
    rest(qtbot, widget)
    (saved,) = (tmp_path / "out").glob("*_scores.json")
    (method,) = json.loads(saved.read_text())["methods"]
    found = {one["metric"]: one["value"] for one in method["scores"]}
    assert found["deletion"] == pytest.approx(rows["deletion"].value)
    viewer.screenshot(str(screenshots / "judging.png"), canvas_only=False, flash=False)


def test_a_randomised_network_is_looked_at(qtbot, tiny, screenshots) -> None:
    viewer, widget = tiny
    box, comparison = part(widget, RandomBox), widget.controller.comparison
    before = len(viewer.layers)
    widget.form.pages.currentWidget().ensureWidgetVisible(box.back)
    click(qtbot, box.go)
    qtbot.waitUntil(lambda: comparison.shown, timeout=60_000)
    (_, first), (_, second) = comparison.compared.titled
    assert first.target == second.target
    assert not np.allclose(first.patch_map.data, second.patch_map.data)
    assert len(viewer.layers) == before + 4  # two maps, each with the anatomy below it
    assert "seed 0" in box.said.text()
    viewer.screenshot(str(screenshots / "judging_random.png"), canvas_only=False, flash=False)
    click(qtbot, box.back)
    assert len(viewer.layers) == before


def test_the_window_stays_awake_and_a_cancel_is_heard(qtbot, make_napari_viewer) -> None:
    files = sample_path("brain.nii.gz"), sample_path("brain_vit.pth")
    _, widget = opened(qtbot, make_napari_viewer, *files)
    ask, lanes = part(widget, AskBox), widget.controller.lanes
    pulse, stalls = Pulse(), []
    for _ in range(TRIES):
        said: list[str] = []
        lanes.progressed.connect(lambda _f, words, said=said: said.append(words))
        click(qtbot, ask.go)
        beats = pulse.beats_until(qtbot, lambda said=said: len(said) > 15)
        stalls.append(float(np.diff(beats).max() * 1000))
        qtbot.waitUntil(lambda: widget.form.run.button.text() == "Cancel")
        click(qtbot, widget.form.run.button)
        rest(qtbot, widget)
        assert ask.light.mark.colour == "grey"
        if stalls[-1] < STALL_MS:
            break
    assert min(stalls) < STALL_MS, stalls


def test_closing_in_the_middle_of_a_run(qtbot, tiny) -> None:
    viewer, widget = tiny
    ask, controller = part(widget, AskBox), widget.controller
    click(qtbot, ask.go)
    assert controller.lanes.busy
    dock = widget
    while not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: controller.lanes.at_rest, timeout=60_000)
    assert controller.model is None
