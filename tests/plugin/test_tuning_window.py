"""The threshold tuned in a real window: the line dragged, the figures read, a contour, all maps."""

from __future__ import annotations

import numpy as np
import pytest
from made_heads import explanation_of, head
from pointer import click
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication
from scipy import ndimage

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.picture.layers import entry_of, role_of, to_layer_data
from g3dvit_napari.plugin.threshold.histogram import SIDE
from g3dvit_napari.plugin.widget import open_form

pytestmark = [pytest.mark.window, pytest.mark.usefixtures("api")]


@pytest.fixture
def form(qtbot, make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 800)
    widget = open_form(viewer)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    widget.form.threshold.choose(Threshold("value", 0.5, "voxels"))
    add(qtbot, widget)
    widget.form.threshold.ensurePolished()
    return widget


def add(qtbot, widget, **named):
    """Open a head, and explain it by a click."""
    data, keywords = to_layer_data(head(**named))
    widget.choose_layer(widget._viewer.add_image(data, **keywords))
    with qtbot.waitSignal(widget.controller.explained):
        click(qtbot, widget.form.run.button)
    rest(qtbot, widget)
    widget.controller.jump_to_peak()


def rest(qtbot, widget) -> None:
    pause, lanes = widget.form.threshold._pause, widget.controller.lanes
    qtbot.waitUntil(lambda: not pause.isActive() and lanes.at_rest, timeout=10_000)
    QApplication.processEvents()


def drag(qtbot, widget, *places: float) -> None:
    """Drag the line of the histogram over places of its axis (0 to 1) and let go."""
    histogram = widget.form.threshold.tuning.histogram
    widget.form.pages.currentWidget().ensureWidgetVisible(histogram)
    points = [QPoint(SIDE + round(p * (histogram.width() - 2 * SIDE)), 50) for p in places]
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(histogram, left, pos=points[0])
    for point in points[1:]:
        place, everywhere = QPointF(point), QPointF(histogram.mapToGlobal(point))
        kind, none = QEvent.Type.MouseMove, Qt.MouseButton.NoButton
        held = QMouseEvent(kind, place, everywhere, none, left, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(histogram, held)  # qtbot's moves hold no button
        QApplication.processEvents()
    qtbot.mouseRelease(histogram, left, pos=points[-1])
    rest(qtbot, widget)


def check_figures(widget) -> None:
    """Compare what is written with what numpy says of the map and the overlay's own cut."""
    scaled = widget.controller.explanation.scaled
    cut = widget.controller.overlay.cut
    seen = np.isfinite(scaled.voxels)
    kept = seen & (scaled.voxels >= cut)
    figures = widget.form.threshold.tuning.figures
    assert figures.text("Voxels kept").split(" ")[0] == f"{kept.sum():,}"
    assert figures.text("Volume") == f"{kept.sum() * 63 / 1000:.3g} mL"  # voxels of 4 x 3.5 x 4.5
    assert figures.text("Clusters") == str(ndimage.label(kept)[1])
    below = 100 * (scaled.voxels[seen] < cut).mean()
    assert f"= {below:.1f}" in widget.form.threshold.tuning.words.text()


def test_dragging_the_line_moves_threshold_overlay_and_figures(qtbot, form) -> None:
    box, tuning = form.form.threshold, form.form.threshold.tuning
    check_figures(form)
    before = tuning.figures.text("Voxels kept")
    drag(qtbot, form, 0.5, 0.4, 0.3)
    assert box.threshold().kind == "value"
    assert box.threshold().amount == pytest.approx(0.3, abs=0.01)  # a pixel of some 200
    assert form.controller.overlay.cut == box.threshold().amount
    assert tuning.histogram.cut == form.controller.explanation.cut == box.threshold().amount
    assert tuning.figures.text("Voxels kept") != before
    check_figures(form)

    at = box.threshold().amount
    qtbot.keyClick(tuning.histogram, Qt.Key.Key_Right)
    assert box.threshold().amount == pytest.approx(at + 0.01, abs=1e-3)
    qtbot.keyClick(tuning.histogram, Qt.Key.Key_PageUp)
    rest(qtbot, form)
    assert form.controller.overlay.cut == pytest.approx(at + 0.11, abs=1e-3)
    check_figures(form)

    click(qtbot, tuning.axes.button("percentile"))
    drag(qtbot, form, 0.5, 1 / 3)
    values = form.controller.explanation.scaled.voxels
    wanted = np.nanpercentile(values, 90)
    assert form.controller.overlay.cut == pytest.approx(wanted, rel=0.15)
    check_figures(form)

    box.kinds.setCurrentIndex(box.kinds.findData("keep"))
    rest(qtbot, form)
    drag(qtbot, form, 0.5, 2 / 3)  # dragging keeps the kind: now it changes the per cent
    assert box.threshold().kind == "keep"
    assert box.threshold().amount == pytest.approx(1.0, rel=0.15)
    check_figures(form)

    form.controller.show(form.controller.anatomy, explanation_of(head(), patch=(4, 5, 5)))
    rest(qtbot, form)
    check_figures(form)  # of another map


def test_a_contour_surrounds_what_is_kept(qtbot, form) -> None:
    viewer, edges = form._viewer, form.form.threshold.edges
    click(qtbot, edges.button("contour"))
    (line,) = [layer for layer in viewer.layers if role_of(layer) == "contour"]
    drag(qtbot, form, 0.6, 0.35)
    map_ = form.controller.overlay.layer
    z = round(float(map_.world_to_data(viewer.dims.point)[0]))
    mask = map_.data[z] >= form.controller.overlay.cut
    border = mask & ~ndimage.binary_erosion(mask)
    places = np.array([map_.world_to_data(line.data_to_world(s))[1:] for s in line.data[:, 0]])
    assert len(places) > 8
    # Every piece lies within a voxel of the mask's border, and every border voxel has a piece.
    voxels = np.argwhere(border)
    away = np.linalg.norm(places[:, None] - voxels[None], axis=2)
    assert away.min(axis=1).max() <= 1.0
    assert away.min(axis=0).max() <= 1.0
    picture = viewer.screenshot(canvas_only=True, flash=False)
    line.visible = False
    without = viewer.screenshot(canvas_only=True, flash=False)
    assert 50 < (picture != without).any(axis=2).sum() < 0.1 * without[..., 0].size
    click(qtbot, edges.button("faded"))
    assert line not in viewer.layers


def test_apply_to_all_cuts_the_other_volume_at_its_own_value(qtbot, form) -> None:
    first = form.controller.explanation.scaled
    anatomy = str(form.controller.anatomy.unique_id)
    add(qtbot, form, spacing=(3.0, 4.5, 4.0))
    box = form.form.threshold
    box.kinds.setCurrentIndex(box.kinds.findData("keep"))
    drag(qtbot, form, 0.2)
    other = next(one for one in form._viewer.layers if entry_of(one).get("anatomy") == anatomy)
    uncut = other.colormap.map(np.array([0.49]))[0, 3]
    assert uncut == 0  # still at 0.5
    click(qtbot, box.tuning.apply)
    rest(qtbot, form)
    own, present = first.cut(box.threshold()), form.controller.overlay.cut
    assert own != pytest.approx(present, abs=1e-4)
    alpha = other.colormap.map(np.array([own - 2e-3, own + 2e-3]))[:, 3]
    assert alpha[0] == 0
    assert alpha[1] > 0
    assert box.tuning.applied.text() == "1 map of other volumes cut so."
