"""Pictures and movies as files: whole or not at all, and they say what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_heads import explanation_of, head
from PIL import Image

from g3dvit_napari.core.errors import Cancelled, ExportError
from g3dvit_napari.plugin.export import files
from g3dvit_napari.plugin.export.desk import words_of
from g3dvit_napari.plugin.export.export_box import ExportBox
from g3dvit_napari.plugin.export.roll import Roll
from g3dvit_napari.plugin.export.stills import LARGEST, bar_length

SHAPE = (48, 64, 3)


def frames(count: int) -> Iterator[np.ndarray]:
    """Yield a bright column that wanders to the right."""
    for number in range(count):
        frame = np.zeros(SHAPE, np.uint8)
        frame[:, 8 * number : 8 * number + 8] = (250, 120, 30)
        yield frame


def quiet(_fraction: float, _words: str) -> None:
    """Take a report and do nothing about it."""


def test_png_holds_pixels_and_provenance(tmp_path) -> None:
    pixels = next(frames(1))
    words = words_of(explanation_of(head()))
    path = files.write_png(tmp_path / "view.png", pixels, words, quiet)
    read = Image.open(path)
    assert np.array_equal(np.asarray(read), pixels)
    assert "g3dvit relevance of class 'lesion'" in read.text["Description"]
    told = json.loads(read.text["Explanation"])
    assert (told["Method"], told["Threshold"]["Amount"]) == ("g3dvit", 0.5)
    assert list(tmp_path.iterdir()) == [path]


def test_picture_of_a_plain_volume_has_words_too() -> None:
    assert words_of(None)["Description"] == "A view of a volume."


def test_gif_is_read_back(tmp_path) -> None:
    path = files.write_movie(tmp_path / "turn.gif", "gif", frames(6), 0.08, "what it is")
    with Image.open(path) as read:
        assert (read.n_frames, read.size, read.info["duration"]) == (6, (64, 48), 80)
        assert (read.info["loop"], read.info["comment"]) == (0, b"what it is")
        for number in range(6):
            read.seek(number)
            assert np.asarray(read.convert("RGB"))[24].argmax(axis=0)[0] == 8 * number


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the reader's
@pytest.mark.skipif(bool(files.why_no_mp4()), reason="without the extra 'movie'")
def test_mp4_is_read_back(tmp_path) -> None:
    import imageio_ffmpeg

    path = files.write_movie(tmp_path / "turn.mp4", "mp4", frames(6), 0.1, "what it is")
    reader = imageio_ffmpeg.read_frames(str(path))
    told = next(reader)
    read = [np.frombuffer(frame, np.uint8).reshape(SHAPE) for frame in reader]
    assert (told["size"], told["fps"], len(read)) == ((64, 48), 10.0, 6)
    for number, frame in enumerate(read):
        bright = np.flatnonzero(frame[24, :, 0] > 128)
        assert bright.mean() == pytest.approx(8 * number + 3.5, abs=1.5)


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_stopped_movie_leaves_no_file_and_spares_the_old_one(tmp_path, kind) -> None:
    if kind == "mp4" and files.why_no_mp4():
        pytest.skip("without the extra 'movie'")

    def stopped() -> Iterator[np.ndarray]:
        yield from frames(2)
        raise Cancelled("stopped")

    path = tmp_path / f"turn.{kind}"
    path.write_bytes(b"old")
    with pytest.raises(Cancelled):
        files.write_movie(path, kind, stopped(), 0.1, "")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_without_an_encoder_mp4_says_how_to_get_one(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    assert "g3dvit-napari[movie]" in files.why_no_mp4()


@pytest.fixture
def solid(viewer):
    viewer.add_image(np.ones((4, 5, 6)))
    viewer.dims.ndisplay = 3
    return viewer


def rolled(viewer, count: int) -> tuple[Roll, list[tuple[float, ...]]]:
    seen: list[tuple[float, ...]] = []

    def take() -> np.ndarray:
        seen.append(viewer.scene.camera.view_direction)
        return np.full((2, 2, 3), len(seen), np.uint8)

    return Roll(viewer, count, take), seen


def test_roll_goes_round_once_and_puts_the_camera_back(qtbot, solid) -> None:
    solid.scene.camera.set_view_direction((-0.3, 0.8, 0.5), (1, 0, 0))
    before = solid.scene.camera.angles
    roll, seen = rolled(solid, 8)
    got, reports = [], []
    film = roll.frames(lambda fraction, words: reports.append((fraction, words)))
    roll.start()
    while len(got) < 8:
        qtbot.wait(5)
        got.append(int(next(film)[0, 0, 0]))
    assert next(film, None) is None
    assert got == list(range(1, 9))
    around = np.array(seen)[:, 1:]
    steps = np.degrees(np.unwrap(np.arctan2(around[:, 0], around[:, 1])))
    assert np.allclose(np.abs(np.diff(steps)), 45)  # the last is one step before the first
    assert np.allclose(np.array(seen)[:, 0], seen[0][0])
    qtbot.waitUntil(lambda: solid.scene.camera.angles == before)
    assert reports[0] == (0.0, "frame 1 of 8")


def test_roll_waits_for_the_encoder(qtbot, solid) -> None:
    roll, seen = rolled(solid, 20)
    roll.start()
    qtbot.wait(100)
    assert len(seen) == 4
    roll.stop()


def test_roll_ends_when_the_volume_is_left(qtbot, solid) -> None:
    roll, _ = rolled(solid, 20)
    roll.start()
    qtbot.wait(20)
    solid.dims.ndisplay = 2
    qtbot.waitUntil(lambda: not roll._timer.isActive())
    with pytest.raises(ExportError, match="stay in the volume"):
        list(roll.frames(quiet))


@pytest.fixture
def box(qtbot) -> ExportBox:
    box = ExportBox()
    qtbot.addWidget(box)
    box.show_screen((737, 823))
    return box


def test_sizes_follow_the_window_unless_they_are_one_s_own(box) -> None:
    assert box.size_px == (1474, 1646)
    box.sizes.choose(4)
    assert box.size_px == (2948, 3292)
    box.sizes.choose((3840, 2160))
    assert box.size_px == (3840, 2160)
    box.width_px.setValue(1001)
    assert (box.sizes.value(), box.size_px) == (0, (1001, 2160))
    box.show_screen((500, 400))
    assert box.size_px == (1001, 2160)
    box.sizes.choose(1)
    assert box.size_px == (500, 400)
    box.show_screen((3000, 2000))
    box.sizes.choose(8)
    assert max(box.size_px) == LARGEST


def test_movie_has_even_sides_and_the_window_s_shape(box) -> None:
    box.movie_px.setValue(321)
    width, height = box.movie_size_px
    assert (width % 2, height % 2) == (0, 0)
    assert height / width == pytest.approx(823 / 737, rel=0.01)


def test_movie_says_why_it_waits(box) -> None:
    assert not box.movie.isEnabled()
    assert "Show the volume" in box.movie.toolTip()
    assert box.minimumSizeHint().width() <= 256


@pytest.mark.parametrize("zoom", [0.02, 0.5, 3.4, 40.0])
def test_scale_bar_is_round_and_fits(zoom) -> None:
    length = bar_length(zoom)
    assert 150 / zoom / 2.6 <= length <= 150 / zoom
    assert f"{length:.3g}".strip("0.")[0] in "12357"


def test_an_unwritable_place_is_told(tmp_path) -> None:
    with pytest.raises(Exception, match="could not write"):
        files.write_png(Path(tmp_path / "no" / "v.png"), next(frames(1)), {}, quiet)
