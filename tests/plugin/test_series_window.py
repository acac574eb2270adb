"""The page "Time" in a real window, driven as a person does: buttons, the plot, the time slider."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from made_heads import blob, explanation_of, head
from napari.utils.io import imsave
from pointer import click
from qtpy.QtCore import QPoint, Qt

from g3dvit_napari import api as facade
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.picture.layers import series_layer_data, volume_of
from g3dvit_napari.plugin.picture.maps import smooth_map
from g3dvit_napari.plugin.places.places_box import PlacesBox
from g3dvit_napari.plugin.settings import PLUGIN
from g3dvit_napari.plugin.widget import open_form

pytestmark = pytest.mark.window
FRAMES = 5


def desk_of(widget: Any) -> Any:
    (desk,) = (found for found in widget.features if hasattr(found, "follower"))
    return desk


def choose(choice, value) -> None:
    choice.setCurrentIndex(choice.values().index(value))


def rest(qtbot, desk) -> None:
    lanes, follower = desk._controller.lanes, desk.follower
    qtbot.waitUntil(lambda: lanes.at_rest and not follower._rest.isActive(), timeout=30_000)


def slide(viewer, frame: int) -> None:
    """Move the time slider by one of its steps, as its handle does."""
    viewer.dims.set_current_step(0, frame)


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1100, 800)
    return viewer


@pytest.fixture
def made(qtbot, window, api) -> SimpleNamespace:
    """A series of five frames with the stand-in's network, the page Time in front."""
    volume = head()
    frames = np.stack([volume.data.transpose() + n for n in range(FRAMES)])
    data, keywords = series_layer_data(frames, volume, 2.0)
    layer = window.add_image(data, **keywords)
    widget = open_form(window)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    widget.form.turn_to("Time")
    desk = desk_of(widget)
    rest(qtbot, desk)
    return SimpleNamespace(viewer=window, widget=widget, desk=desk, layer=layer, api=api)


def explain(qtbot, made, frames: str) -> None:
    choose(made.desk.frames.frames, frames)
    before = made.desk.course
    click(qtbot, made.desk.frames.go)
    qtbot.waitUntil(lambda: made.desk.course is not before or not made.desk._lane.busy)
    rest(qtbot, made.desk)


def test_every_second_frame_of_a_file_has_its_own_map(
    qtbot, window, tiny_files, screenshots
) -> None:
    (layer,) = window.open(str(tiny_files / "series.nii.gz"), plugin=PLUGIN)
    widget = open_form(window)
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint(str(tiny_files / "vit.pth"))
    desk, controller = desk_of(widget), widget.controller
    widget.form.turn_to("Time")
    choose(desk.frames.frames, "every")
    rest(qtbot, desk)
    assert desk.frames.go.text() == "Explain 2 frames"
    click(qtbot, desk.frames.go)
    qtbot.waitUntil(lambda: desk.course is not None and desk.course.numbers == [0, 2])
    rest(qtbot, desk)

    click(qtbot, desk.view.box.scales.button("own"))
    model = facade.load_model(tiny_files / "vit.pth")
    mean = facade.predict(volume_of(layer, "mean"), model)
    for frame in (0, 2):
        slide(window, frame)
        rest(qtbot, desk)
        expected = facade.explain(volume_of(layer, frame), model, target=mean.predicted)
        shown = controller.explanation
        assert shown.target == mean.predicted
        np.testing.assert_allclose(
            controller.overlay.layer.data, smooth_map(expected).transpose(), atol=1e-5
        )
        np.testing.assert_allclose(shown.patch_map.data, expected.patch_map.data, rtol=1e-5)
        assert shown.relevance.source.frame == f"frame {frame} of 4"
        assert f"frame {frame}" in controller.overlay.caption.splitlines()
    slide(window, 1)
    rest(qtbot, desk)
    assert controller.overlay.caption == "frame 1: not explained"
    assert not controller.overlay.layer.data.any()
    assert not widget.history.past.results  # frames passed by push nothing out of it
    imsave(str(screenshots / "series_time.png"), window.screenshot(canvas_only=False, flash=False))


def test_a_frame_not_explained_stays_empty_whatever_is_moved(qtbot, made) -> None:
    explain(qtbot, made, "every")
    slide(made.viewer, 1)
    rest(qtbot, made.desk)
    overlay, form = made.widget.controller.overlay, made.widget.form
    form.threshold.slider.setValue(20.0)
    for resolution in ("patches", "saved", "smooth"):
        form.turn_to("Look")
        click(qtbot, form.view.switches["resolution"].button(resolution))
        rest(qtbot, made.desk)
        assert overlay.caption == "frame 1: not explained"
        assert not any(layer.data.any() for layer in overlay._maps.all())
    slide(made.viewer, 2)
    rest(qtbot, made.desk)
    assert overlay.layer.data.any()
    assert "frame 2" in overlay.caption


def test_click_and_keys_in_the_plot_go_to_frames(qtbot, made) -> None:
    explain(qtbot, made, "all")
    plot, dims = made.desk.view.box.plot, made.viewer.dims
    place = QPoint(round(plot.axis.x(3)), plot.height() // 2)
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=place)
    assert dims.point[0] == pytest.approx(6.0)  # seconds: two per frame
    assert plot.read_out == "frame 3 · 6 s"
    for key, seconds in ((Qt.Key.Key_Right, 8.0), (Qt.Key.Key_Home, 0.0), (Qt.Key.Key_Left, 0.0)):
        qtbot.keyClick(plot, key)
        assert dims.point[0] == pytest.approx(seconds)


def test_cancelling_keeps_what_is_done_and_asking_again_computes_the_rest(qtbot, made) -> None:
    api, desk, run = made.api, made.desk, made.widget.form.run
    gate = threading.Event()  # the third frame waits for it
    api.work = lambda _pause: len(api.of("explain")) < 3 or gate.wait(30)
    choose(desk.frames.frames, "all")
    click(qtbot, desk.frames.go)
    qtbot.waitUntil(lambda: desk.course is not None and len(desk.course.numbers) == 2)
    qtbot.waitUntil(lambda: run.button.text() == "Cancel")
    qtbot.waitUntil(lambda: run.stage.text() == "frame 3 of 5 (frame no. 2) …")
    click(qtbot, run.button)
    gate.set()
    rest(qtbot, desk)
    done = desk.course.numbers
    assert 2 <= len(done) < FRAMES
    assert run.warning.text() == f"Cancelled; {len(done)} of 5 frames are kept."
    asked = len(api.of("explain"))
    assert desk.frames.go.text() == f"Explain {FRAMES - len(done)} frames ({len(done)} known)"
    click(qtbot, desk.frames.go)
    qtbot.waitUntil(lambda: len(desk.course.numbers) == FRAMES)
    rest(qtbot, desk)
    assert len(api.of("explain")) - asked == FRAMES - len(done)
    assert not desk.frames.go.isEnabled()
    made.widget.form.threshold.slider.setValue(30.0)  # another threshold is no other question
    rest(qtbot, desk)
    assert desk.frames.go.text() == "All 5 frames explained"
    explained = {call["target"] for call in api.of("explain")}
    assert explained == {1}  # one class throughout: the one predicted for the mean


def test_map_of_the_mean_stays_for_every_frame(qtbot, made) -> None:
    explain(qtbot, made, "all")
    explain(qtbot, made, "mean")
    overlay, box = made.widget.controller.overlay, made.desk.view.box
    slide(made.viewer, 4)
    rest(qtbot, made.desk)
    assert "mean of 5 frames" in overlay.caption
    assert overlay.layer.data.any()
    click(qtbot, box.overlays.button("frames"))
    assert "frame 4" in overlay.caption


def test_one_frame_computed_on_the_first_page_belongs_to_that_frame_alone(qtbot, made) -> None:
    form, controller = made.widget.form, made.widget.controller
    slide(made.viewer, 3)
    choose(form.volume.frames, "current")
    with qtbot.waitSignal(controller.explained):
        click(qtbot, form.run.button)
    rest(qtbot, made.desk)
    assert "frame 3" in controller.overlay.caption
    slide(made.viewer, 0)
    assert controller.overlay.caption == "frame 0: not explained"


def test_a_painted_region_is_followed_over_time(qtbot, made) -> None:
    explain(qtbot, made, "all")
    marked = np.zeros(made.layer.data.shape[1:], dtype=np.uint8)
    keywords = {name: getattr(made.layer, name)[1:] for name in ("scale", "translate", "units")}
    labels = made.viewer.add_labels(marked, name="spot", **keywords)
    regions, course = made.desk.view.box.regions, made.desk.course
    regions.setCurrentIndex(regions.findText("spot"))
    region = made.desk.view.regions
    qtbot.waitUntil(lambda: len(course.shares.get(region.region, {})) == FRAMES)
    assert set(course.shares[region.region].values()) == {0.0}
    labels.data_setitem(np.nonzero(marked == 0), 1)
    qtbot.waitUntil(lambda: max(course.shares.get(region.region, {0: 0.0}).values()) > 0.99)
    (panel,) = [p for p in made.desk.view.box.plot._panels if p.title == "share of relevance"]
    assert panel.lines[0].values == pytest.approx(dict.fromkeys(range(FRAMES), 1.0))


def test_a_region_of_an_atlas_is_followed_over_time(
    qtbot, made, tmp_path, monkeypatch, screenshots
) -> None:
    volume, path = head(), tmp_path / "halves.nii.gz"
    x = (volume.affine[:3, :3] @ np.indices(volume.shape).reshape(3, -1))[0] + volume.affine[0, 3]
    sides = np.where(x.reshape(volume.shape) < 0, 1, 2).astype(np.uint8)
    nib.Nifti1Image(sides, volume.affine).to_filename(path)
    path.with_name("halves.tsv").write_text("index\tname\n1\tleft\n2\tright\n", encoding="utf-8")
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getOpenFileName", lambda *_, **__: (str(path), "")
    )
    explain(qtbot, made, "all")
    made.widget.form.turn_to("Places")
    click(qtbot, made.widget.findChild(PlacesBox).browse)
    rest(qtbot, made.desk)
    made.widget.form.turn_to("Time")
    box, course, regions = made.desk.view.box, made.desk.course, made.desk.view.regions
    shares = {}
    for name in ("halves", "halves: left", "halves: right"):
        box.regions.setFocus()
        while box.regions.currentText() != name:
            place = box.regions.currentIndex()
            qtbot.keyClick(box.regions, Qt.Key.Key_Down)
            assert box.regions.currentIndex() == place + 1
        qtbot.waitUntil(lambda: len(course.shares.get(regions.region, {})) == FRAMES)
        shares[name] = np.array([course.shares[regions.region][n] for n in range(FRAMES)])
    assert np.allclose(shares["halves"], 1)
    assert np.allclose(shares["halves: left"] + shares["halves: right"], 1)
    assert (shares["halves: left"] > 0.6).all()  # there the marker lies
    qtbot.wait(50)
    made.viewer.window._qt_window.grab().save(str(screenshots / "time_atlas.png"))


def test_a_frame_that_was_changed_in_place_is_not_shown_as_explained(qtbot, made) -> None:
    explain(qtbot, made, "all")
    slide(made.viewer, 1)
    rest(qtbot, made.desk)
    made.layer.data[3] += 7
    slide(made.viewer, 3)
    rest(qtbot, made.desk)
    assert made.widget.controller.overlay.caption == "frame 3: not explained"
    assert made.desk.course.numbers == [0, 1, 2, 4]


def test_table_is_exported(qtbot, made, tmp_path, monkeypatch) -> None:
    explain(qtbot, made, "every")
    qtbot.waitUntil(lambda: bool(made.desk.course.shares))
    path = tmp_path / "course.tsv"
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getSaveFileName", lambda *_: (str(path), "TSV"))
    click(qtbot, made.desk.view.box.export)
    qtbot.waitUntil(path.exists)
    head_, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    assert [row[:2] for row in rows] == [["0", "0"], ["2", "4"], ["4", "8"]]
    assert "share Whole head" in head_


def test_page_says_what_it_needs(made) -> None:
    frames: Callable[[], str] = made.desk.frames.missing.text
    assert frames() == ""
    volume = made.layer.data[0]
    flat = made.viewer.add_image(volume, name="flat")
    made.widget.choose_layer(flat)
    assert frames().startswith("Choose a 4-D series (t, x, y, z)")
    assert not made.desk.frames.go.isEnabled()
    made.viewer.layers.remove(flat)
    assert made.desk.frames.go.isEnabled()


def test_an_empty_map_does_not_come_back_with_a_frame(qtbot, made) -> None:
    made.api.status = "zero"
    explain(qtbot, made, "all")
    expected = explanation_of(head(), blob, status="zero", threshold=Threshold())
    assert expected.message in made.widget.controller.overlay.caption.replace("\n", " ")
    assert not made.widget.controller.overlay.layer.data.any()
