"""The Look page in a real window: each view is another picture, and the way back is exact."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from g3dvit_napari.plugin.picture.looks_box import KEYS, PLANES, VIEWS

pytestmark = [pytest.mark.window, pytest.mark.usefixtures("api")]


@pytest.fixture
def widget(explained_window):
    return explained_window


def photograph(widget) -> np.ndarray:
    for _ in range(3):
        QApplication.processEvents()
    picture = widget._viewer.screenshot(canvas_only=True, flash=False)
    return picture[..., :3].astype(float)


def difference(picture: np.ndarray, other: np.ndarray) -> float:
    """Compare what both show: the slider of the slices comes and goes below the canvas."""
    rows, columns = np.minimum(picture.shape, other.shape)[:2]
    return float(np.abs(picture[:rows, :columns] - other[:rows, :columns]).mean())


def press(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def anatomy_seen(widget) -> int:
    """Return how many pixels show grey anatomy."""
    picture = photograph(widget)[60:-60, 60:-130]
    grey = np.ptp(picture, axis=-1) < 12
    return int((grey & (picture.mean(axis=-1) > 25)).sum())


def test_every_view_is_another_picture_and_the_way_back_is_exact(qtbot, widget) -> None:
    box, viewer = widget.form.looks, widget._viewer
    camera, point, first = viewer.scene.camera, viewer.dims.point, photograph(widget)
    frame = camera.center, camera.zoom
    seen = [first]
    for switch, name in [
        *((box.planes, plane) for plane in ("coronal", "sagittal")),
        *((box.views, view) for view in ("slab", "volume", "cut_away")),
    ]:
        press(qtbot, switch.button(name))
        seen.append(photograph(widget))
        assert all(difference(seen[-1], other) > 0.5 for other in seen[:-1]), name
    press(qtbot, box.planes.button("axial"))
    assert viewer.dims.point == point
    assert (camera.center, camera.zoom) == frame


def test_keys_reach_planes_and_views_from_the_canvas(qtbot, widget) -> None:
    box = widget.form.looks
    widget.form.turn_to("Explain")  # also from another page
    widget.window().activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is not None)
    for keys, name in KEYS.items():
        qtbot.keyClick(widget.window(), keys[-1], Qt.KeyboardModifier.AltModifier)
        switch = box.planes if name in PLANES else box.views
        assert switch.value() == name
    assert list(KEYS.values()) == [*PLANES, *VIEWS]


@pytest.mark.parametrize(("side", "share"), [("bottom", 0.25), ("top", 0.75)])
def test_cut_away_takes_off_what_lies_beyond_the_plane(qtbot, widget, side, share) -> None:
    """Guards a fact about napari: the plane lies in the world, not in the layer's data."""
    box, viewer = widget.form.looks, widget._viewer
    press(qtbot, box.views.button("volume"))
    viewer.scene.camera.set_view_direction((0, -1, 0), (1, 0, 0))
    low, high = viewer.layers[0].extent.world[:, 0]
    viewer.layers[1].visible = False
    viewer.layers[0].data = np.ones_like(viewer.layers[0].data)
    viewer.layers[0].contrast_limits = (0, 1)
    viewer.dims.set_point(0, low + 0.25 * (high - low))
    whole = anatomy_seen(widget)
    press(qtbot, box.views.button("cut_away"))
    box.side.choose(side)
    left = anatomy_seen(widget) / whole
    assert left == pytest.approx(1 - share, abs=0.05)


def test_turntable_leaves_the_window_alive(qtbot, widget) -> None:
    box, camera = widget.form.looks, widget._viewer.scene.camera
    press(qtbot, box.views.button("volume"))
    before, first = camera.angles, photograph(widget)
    press(qtbot, box.turn)
    qtbot.waitUntil(lambda: np.linalg.norm(np.subtract(camera.angles, before)) > 10, timeout=20_000)
    assert difference(photograph(widget), first) > 0.5
    qtbot.keyClick(box.pace, Qt.Key.Key_PageDown)  # the form still answers
    assert widget.looks.turntable.seconds < 12
    press(qtbot, box.turn)
    assert camera.angles == before
    assert np.array_equal(photograph(widget), first)


def test_closed_dock_takes_its_views_along(qtbot, widget) -> None:
    viewer = widget._viewer
    press(qtbot, widget.form.looks.views.button("cut_away"))
    press(qtbot, widget.form.looks.turn)
    viewer.window.remove_dock_widget(widget)
    assert not widget.looks.turntable.runs
    assert not any(layer.experimental_clipping_planes for layer in viewer.layers)
