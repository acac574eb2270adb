"""Saving from a real window: exact sizes, legible words, movies that turn, and cancelling."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt

from g3dvit_napari.plugin.export import files

pytestmark = [pytest.mark.window, pytest.mark.usefixtures("api")]


@pytest.fixture
def widget(explained_window):
    return explained_window


@pytest.fixture
def answer(monkeypatch):
    """Answer the file dialog."""

    def answer(path) -> None:
        monkeypatch.setattr(
            "qtpy.QtWidgets.QFileDialog.getSaveFileName", lambda *_: (str(path), "")
        )

    return answer


def press(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def saved(qtbot, widget, button) -> None:
    with qtbot.waitSignal(widget.export.saved, timeout=120_000):
        press(qtbot, button)
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest)


def canvas_state(viewer) -> tuple[object, ...]:
    overlays = viewer.canvas.overlays
    fonts = [(one.font_size, one.visible) for one in overlays.values() if hasattr(one, "font_size")]
    bars = [(layer.colorbar.size, layer.colorbar.font_size) for layer in viewer.layers]
    camera = viewer.scene.camera
    view = camera.zoom, camera.center, camera.angles
    return fonts, bars, view, viewer.canvas.size, overlays["scale_bar"].length


def share(picture: np.ndarray, box: tuple[float, float, float, float]) -> float:
    """Return how much of a part of a picture is bright."""
    height, width = picture.shape[:2]
    top, bottom, left, right = box
    rows = slice(int(top * height), int(bottom * height))
    part = picture[rows, int(left * width) : int(right * width)]
    return float((part.min(axis=-1) > 150).mean())


def test_pictures_have_the_size_asked_for_and_the_same_content(
    qtbot, widget, answer, tmp_path
) -> None:
    box, viewer = widget.form.export, widget._viewer
    before = canvas_state(viewer)
    width, height = box._screen
    pictures = {}
    for factor in (1, 4):
        box.sizes.choose(factor)
        answer(tmp_path / f"{factor}.png")
        saved(qtbot, widget, box.picture)
        pictures[factor] = np.asarray(Image.open(tmp_path / f"{factor}.png"))
        assert pictures[factor].shape == (factor * height, factor * width, 3)
    small = np.asarray(Image.fromarray(pictures[4]).resize((width, height), Image.Resampling.BOX))
    head = slice(int(0.35 * height), int(0.65 * height)), slice(40, width - 40)
    apart = np.abs(small[head].astype(float) - pictures[1][head])
    assert pictures[1][head].mean() > 40  # there is a head
    assert apart.mean() < 4  # grown, not another view
    for corner in [(0, 0.3, 0, 0.5), (0.4, 0.6, 0, 0.1), (0, 0.1, 0.4, 0.6)]:
        shares = [share(picture, corner) for picture in pictures.values()]
        assert shares[1] == pytest.approx(shares[0], rel=0.5, abs=0.003)
        assert shares[1] > 0  # caption and letters are there, and as large
    box.width_px.setValue(501)
    box.height_px.setValue(277)
    box.backgrounds.choose("white")
    answer(tmp_path / "own")  # the ending is added
    saved(qtbot, widget, box.picture)
    own = np.asarray(Image.open(tmp_path / "own.png"))
    assert own.shape == (277, 501, 3)
    assert tuple(own[2, -2]) == (255, 255, 255)
    assert canvas_state(viewer) == before


def scale_bar(picture: np.ndarray, factor: int) -> tuple[int, int, int]:
    """Return length, thickness and height of ticks of the bar at the lower right, in pixels."""
    height, width = picture.shape[:2]
    corner = picture[height - 22 * factor :, width // 2 :].min(axis=-1) > 150  # below the words
    lengths = [max(map(len, "".join(".#"[int(on)] for on in row).split("."))) for row in corner]
    length = max(lengths)
    line = np.flatnonzero(np.array(lengths) > 0.9 * length)
    end = int(np.flatnonzero(corner[line[0]]).max())
    column = corner[:, end - 1]
    return length, len(line), int(column.sum())


@pytest.mark.parametrize("background", ["window", "white"])
def test_the_scale_bar_grows_with_the_picture(qtbot, widget, answer, tmp_path, background) -> None:
    box, found = widget.form.export, {}
    box.backgrounds.choose(background)
    for factor in (1, 4):
        box.sizes.choose(factor)
        answer(tmp_path / f"{factor}.png")
        saved(qtbot, widget, box.picture)
        picture = np.asarray(Image.open(tmp_path / f"{factor}.png"))
        found[factor] = scale_bar(255 - picture if background == "white" else picture, factor)
    once, larger = found[1], found[4]
    assert larger[0] == pytest.approx(4 * once[0], abs=6)
    assert larger[1] == pytest.approx(4 * once[1], abs=3)
    assert larger[2] == pytest.approx(4 * once[2], abs=6)
    bar = widget._viewer.canvas.overlays["scale_bar"]
    assert (bar.colored, bar.font_size) == (False, 10)


def test_a_bar_that_the_user_put_elsewhere_stays_there(qtbot, widget, answer, tmp_path) -> None:
    widget._viewer.canvas.overlays["scale_bar"].position = "bottom_left"
    box = widget.form.export
    box.sizes.choose(2)
    answer(tmp_path / "two.png")
    saved(qtbot, widget, box.picture)
    picture = np.asarray(Image.open(tmp_path / "two.png"))
    height, width = picture.shape[:2]
    assert picture[height * 9 // 10 :, width * 2 // 3 :].max() < 100
    assert picture[height * 9 // 10 :, : width // 3].max() > 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the reader's
def test_turntable_is_written_and_read_back(qtbot, widget, answer, tmp_path) -> None:
    box, viewer = widget.form.export, widget._viewer
    assert not box.movie.isEnabled()
    press(qtbot, widget.form.looks.views.button("volume"))
    before = canvas_state(viewer)
    box.frames.setValue(8)
    box.seconds.setValue(1)
    box.movie_px.setValue(160)
    answer(tmp_path / "turn.gif")
    saved(qtbot, widget, box.movie)
    frames = []
    with Image.open(tmp_path / "turn.gif") as read:
        assert (read.n_frames, read.size, read.info["duration"]) == (8, box.movie_size_px, 120)
        for number in range(8):
            read.seek(number)
            frames.append(np.asarray(read.convert("RGB")).astype(float))
    apart = [np.abs(frames[n] - frames[(n + 1) % 8]).mean() for n in range(8)]
    assert min(apart) > 0.3
    assert max(apart) < 4 * min(apart)  # from the last to the first as from any to the next
    assert canvas_state(viewer) == before
    if not files.why_no_mp4():
        import imageio_ffmpeg

        box.movies.choose("mp4")
        answer(tmp_path / "turn.mp4")
        saved(qtbot, widget, box.movie)
        reader = imageio_ffmpeg.read_frames(str(tmp_path / "turn.mp4"))
        assert next(reader)["size"] == box.movie_size_px
        assert len(list(reader)) == 8


def test_cancel_in_the_foot_leaves_nothing(qtbot, widget, answer, tmp_path) -> None:
    box, run = widget.form.export, widget.form.run
    press(qtbot, widget.form.looks.views.button("volume"))
    angles = widget._viewer.scene.camera.angles
    box.frames.setValue(400)
    box.movie_px.setValue(100)
    answer(tmp_path / "turn.gif")
    press(qtbot, box.movie)
    qtbot.waitUntil(lambda: run.button.text() == "Cancel" and "frame" in run.stage.text())
    assert not box.picture.isEnabled()
    with qtbot.waitSignal(widget.controller.lanes.cancelled, timeout=30_000):
        press(qtbot, run.button)
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest)
    assert list(tmp_path.iterdir()) == []
    assert widget._viewer.scene.camera.angles == angles
    assert box.picture.isEnabled()
    assert run.button.text() == "Compute"
