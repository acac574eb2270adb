"""Crosshair and peak ring in a real window, by mouse; in saved pictures only while they are on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from pointer import move_to
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QOpenGLWidget

from g3dvit_napari.plugin.picture.crosshair import RADIUS
from g3dvit_napari.plugin.picture.crosshair_desk import CrosshairDesk
from g3dvit_napari.plugin.places.places_box import PlacesBox

pytestmark = [pytest.mark.window, pytest.mark.usefixtures("api")]


@pytest.fixture
def widget(explained_window):
    return explained_window


def green(picture: np.ndarray) -> np.ndarray:
    """Return where (n, row and column) the colour of the crosshair is."""
    red, green, blue = picture[..., :3].astype(int).transpose(2, 0, 1)
    return np.argwhere((green - red > 60) & (green - blue > 40))


def photograph(widget) -> np.ndarray:
    for _ in range(4):
        QApplication.processEvents()
    return np.asarray(widget._viewer.screenshot(canvas_only=True, flash=False))


def click(button) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_click_on_the_slice_takes_the_crosshair_there(qtbot, widget, screenshots) -> None:
    viewer = widget._viewer
    widget.form.turn_to("Look")
    assert len(green(photograph(widget))) == 0
    click(widget.form.marks.marks["crosshair"])
    shot = photograph(widget)
    rows, columns = green(shot).T
    before = viewer.dims.point
    assert np.ptp(rows) > 100 < np.ptp(columns)
    canvas = next(iter(widget.window().findChildren(QOpenGLWidget)))
    place = QPoint(canvas.width() // 2 + 40, canvas.height() // 2 - 30)
    move_to(canvas, place)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    qtbot.waitUntil(lambda: viewer.dims.point != before)
    assert viewer.dims.point[0] == before[0]  # the slice stays
    shot = photograph(widget)
    rows, columns = green(shot).T
    scale = shot.shape[1] / canvas.width()
    assert np.median(columns[np.abs(rows - np.median(rows)) > 25]) == pytest.approx(
        place.x() * scale, abs=6
    )
    Image.fromarray(shot).save(screenshots / "crosshair.png")
    click(widget.form.marks.marks["crosshair"])
    assert len(green(photograph(widget))) == 0


def test_a_row_of_places_marks_its_peak_and_saved_pictures_have_it_while_on(
    qtbot, widget, tmp_path, monkeypatch
) -> None:
    widget.form.turn_to("Places")
    table = widget.form.findChild(PlacesBox).peaks
    qtbot.waitUntil(lambda: table.model().rowCount() > 0)
    QApplication.processEvents()
    cell = table.visualRect(table.model().index(0, 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=cell)
    widget.form.turn_to("Look")
    QApplication.processEvents()
    box, pictures = widget.form.export, []
    for name in ("with", "without"):
        path = tmp_path / f"{name}.png"
        monkeypatch.setattr(
            "qtpy.QtWidgets.QFileDialog.getSaveFileName", lambda *_, p=path: (p, "")
        )
        with qtbot.waitSignal(widget.export.saved, timeout=60_000):
            click(box.picture)
        qtbot.waitUntil(lambda: widget.controller.lanes.at_rest)
        pictures.append(np.asarray(Image.open(path)))
        click(widget.form.marks.marks["peak_mark"])
    ring, none = (green(picture) for picture in pictures)
    assert len(none) == 0
    assert len(ring) > 30
    height, width = np.ptp(ring, axis=0) + 1
    factor = box.size_px[0] / box._screen[0]
    assert height == pytest.approx(factor * 2 * RADIUS, abs=factor * 4)  # it grows along
    assert width == pytest.approx(height, abs=4)


def test_the_ring_is_there_again_after_the_volume(qtbot, widget) -> None:
    viewer = widget._viewer
    widget.form.turn_to("Look")
    click(widget.form.view.peak)
    viewer.dims.set_point(0, viewer.dims.range[0].start)  # napari would go to the middle
    desk = next(one for one in widget.features if isinstance(one, CrosshairDesk))
    desk.mark(viewer.dims.point[-3:])
    ring = len(green(photograph(widget)))
    assert ring > 30
    for view in ("volume", "slices"):
        click(widget.form.looks.views.button(view))
        qtbot.wait(50)
    assert len(green(photograph(widget))) == pytest.approx(ring, rel=0.1)


def test_side_by_side_a_click_in_any_cell_takes_all_crosshairs_there(
    qtbot, widget, screenshots
) -> None:
    viewer = widget._viewer
    click(widget.form.marks.marks["crosshair"])
    widget.form.turn_to("Compare")
    widget.form.compare.kinds.choose("classes")
    with qtbot.waitSignal(widget.controller.comparison.changed):
        click(widget.form.compare.go)
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest)
    shot = photograph(widget)
    rows, columns = viewer.canvas.grid.actual_shape(viewer.layers)
    canvas = next(iter(widget.window().findChildren(QOpenGLWidget)))
    cells = [
        (canvas.width() * (2 * column + 1) // (2 * columns), canvas.height() // (2 * rows))
        for column in range(2)
    ]
    scale = shot.shape[1] / canvas.width()
    half = scale * canvas.width() / columns / 2

    def lines(middle: int) -> np.ndarray:
        """Return where, counted from a cell's middle, its vertical line stands."""
        shot = photograph(widget)
        at, place = green(shot), middle * scale
        mine = at[(np.abs(at[:, 1] - place) < half) & (at[:, 0] < shot.shape[0] / rows)]
        counts = np.bincount((mine[:, 1] - place + half).astype(int))
        return np.argmax(counts) - half

    before = [lines(x) for x, _ in cells]
    assert before[0] == pytest.approx(before[1], abs=8)  # there are gaps between cells
    for sign, (x, y) in zip((1, -1), cells, strict=True):
        point, place = viewer.dims.point, QPoint(x + sign * 25, y + 10)
        move_to(canvas, place)
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        qtbot.waitUntil(lambda point=point: viewer.dims.point != point)
        assert [lines(x) for x, _ in cells] == pytest.approx([sign * 25 * scale] * 2, abs=8)
    Image.fromarray(photograph(widget)).save(screenshots / "crosshairs_compared.png")


def test_side_by_side_the_rings_are_there_again_after_the_volume(qtbot, widget) -> None:
    viewer = widget._viewer
    viewer.dims.set_point(0, viewer.dims.range[0].start)  # napari would go to the middle
    desk = next(one for one in widget.features if isinstance(one, CrosshairDesk))
    desk.mark(viewer.dims.point[-3:])
    one = len(green(photograph(widget)))
    assert one > 10
    widget.form.turn_to("Compare")
    widget.form.compare.kinds.choose("classes")
    with qtbot.waitSignal(widget.controller.comparison.changed):
        click(widget.form.compare.go)
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest)
    rings = len(green(photograph(widget)))
    assert rings > 1.5 * one  # two of them
    for ndisplay in (3, 2):
        viewer.dims.ndisplay = ndisplay
        qtbot.wait(50)
    assert len(green(photograph(widget))) > 1.5 * one  # the heads may be fitted anew
