"""The crosshair lies where the slices cross, the ring at the peak; neither is anybody's data."""

from __future__ import annotations

import numpy as np
import pytest
from made_heads import MARKER, explanation_of, head
from patience import rest
from qtpy.QtWidgets import QApplication

from g3dvit_napari.plugin.picture.crosshair import COLOR, RADIUS
from g3dvit_napari.plugin.picture.layers import is_volume, role_of, series_layer_data
from g3dvit_napari.plugin.picture.planes import order_of
from g3dvit_napari.plugin.threshold.masks import is_mask
from g3dvit_napari.plugin.widget import ExplainWidget

pytestmark = pytest.mark.usefixtures("api")
PEAK = tuple(MARKER[::-1])  # z y x


@pytest.fixture
def widget(loaded_form):
    return loaded_form


@pytest.fixture
def desk(widget):
    from g3dvit_napari.plugin.picture.crosshair_desk import CrosshairDesk

    return next(one for one in widget.features if isinstance(one, CrosshairDesk))


def drawn(viewer) -> list:
    return [layer for layer in viewer.layers if role_of(layer) == "crosshair"]


def ends(viewer) -> np.ndarray:
    """Return both ends of all pieces in the world (n, 2, z y x)."""
    (layer,) = drawn(viewer)
    start, step = layer.data[:, 0], layer.data[:, 1]
    places = [layer.data_to_world(place) for place in (*start, *(start + step))]
    return np.array(places).reshape(2, -1, 3).swapaxes(0, 1)


def switch(widget, name: str) -> None:
    widget.form.marks.marks[name].click()


def test_off_until_it_is_switched_on(widget, viewer) -> None:
    assert drawn(viewer) == []
    switch(widget, "crosshair")
    (layer,) = drawn(viewer)
    assert viewer.layers[-1] is layer
    assert not is_volume(layer)
    assert not is_mask(layer)
    switch(widget, "crosshair")
    assert drawn(viewer) == []


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_lines_cross_at_the_point_in_every_plane(widget, viewer, anatomy, plane) -> None:
    switch(widget, "crosshair")
    viewer.dims.order = order_of(plane, 3)
    for point in ([0.0, 0.0, 0.0], [8.0, -12.0, 16.0]):
        viewer.dims.set_point(range(3), point)
        found = ends(viewer)
        assert len(found) == 4
        low, high = anatomy.extent.world
        hidden = order_of(plane, 3)[0]
        for one in found:
            along = int(np.argmax(np.abs(one[1] - one[0])))
            others = [axis for axis in range(3) if axis != along]
            assert along != hidden
            assert one[:, others] == pytest.approx(
                np.tile(np.array(viewer.dims.point)[others], (2, 1))
            )
            assert (one >= low - 1e-6).all()
            assert (one <= high + 1e-6).all()
            assert np.abs(one[1] - one[0])[along] > 10


def test_sliders_and_scene_stay_as_they_were(widget, viewer) -> None:
    def scene() -> np.ndarray:
        return np.array([(r.start, r.stop, r.step) for r in viewer.dims.range])

    before = scene()
    switch(widget, "crosshair")
    assert np.allclose(scene(), before)
    viewer.dims.set_point(range(3), [r.stop for r in viewer.dims.range])
    assert np.allclose(scene(), before)


def test_there_is_none_in_a_volume_and_it_comes_back(widget, viewer) -> None:
    switch(widget, "crosshair")
    viewer.dims.ndisplay = 3
    assert drawn(viewer) == []
    viewer.dims.ndisplay = 2
    assert len(drawn(viewer)) == 1


def test_a_map_comes_below_it(widget, viewer, anatomy) -> None:
    switch(widget, "crosshair")
    widget.controller.show(anatomy, explanation_of(head()))
    assert role_of(viewer.layers[-1]) == "crosshair"
    assert len(drawn(viewer)) == 1


def test_a_ring_marks_the_peak_in_its_slices_and_goes_with_its_map(
    widget, viewer, anatomy, desk
) -> None:
    widget.controller.show(anatomy, explanation_of(head()))
    viewer.dims.set_point(range(3), PEAK)
    desk.mark(PEAK)
    found = ends(viewer)
    radius = np.linalg.norm(found.reshape(-1, 3)[:, 1:] - PEAK[1:], axis=1)
    assert radius == pytest.approx(RADIUS / viewer.scene.camera.zoom, rel=1e-4)
    viewer.scene.camera.zoom *= 3
    radius = np.linalg.norm(ends(viewer).reshape(-1, 3)[:, 1:] - PEAK[1:], axis=1)
    assert radius == pytest.approx(RADIUS / viewer.scene.camera.zoom, rel=1e-4)
    step = viewer.dims.range[0].step
    viewer.dims.set_point(0, PEAK[0] + 2 * step)
    assert len(ends(viewer)) == 0
    viewer.dims.set_point(0, PEAK[0])
    assert len(ends(viewer)) > 8
    switch(widget, "peak_mark")
    assert drawn(viewer) == []
    switch(widget, "peak_mark")
    widget.controller.show(anatomy, explanation_of(head(), target=0))
    assert drawn(viewer) == []


def test_a_slab_shows_the_ring_of_a_peak_inside_it(widget, viewer, anatomy, desk) -> None:
    widget.controller.show(anatomy, explanation_of(head()))
    desk.mark(PEAK)
    viewer.dims.set_point(range(3), PEAK)
    viewer.dims.set_point(0, PEAK[0] + 8.0)
    assert len(ends(viewer)) == 0
    viewer.dims.thickness = (20.0, 0.0, 0.0)
    assert len(ends(viewer)) > 8


def test_removed_by_hand_is_switched_off_but_not_where_all_goes(widget, viewer) -> None:
    switch(widget, "crosshair")
    viewer.layers.remove(drawn(viewer)[0])
    QApplication.processEvents()
    assert not widget.form.marks.marks["crosshair"].isChecked()
    assert drawn(viewer) == []
    switch(widget, "crosshair")
    viewer.layers.clear()
    QApplication.processEvents()
    assert len(viewer.layers) == 0
    assert widget.form.marks.marks["crosshair"].isChecked()


def compare(qtbot, widget) -> int:
    """Compare what is marked; return how many cells there are."""
    count = len(widget.form.compare.plan.variants)
    with qtbot.waitSignal(widget.controller.comparison.changed):
        widget.form.compare.go.click()
    rest(qtbot, widget)
    return count


def cells(viewer) -> list[list[str]]:
    """The roles of what is to be seen in every cell of the grid, from below."""
    grid, found = viewer.canvas.grid, {}
    for index, layer in enumerate(viewer.layers):
        if layer.visible:
            place = grid.position(index, viewer.layers)
            found.setdefault(place, []).append(role_of(layer))
    return list(found.values())


def test_side_by_side_it_lies_in_every_cell(qtbot, widget, viewer, anatomy) -> None:
    switch(widget, "crosshair")
    widget.controller.show(anatomy, explanation_of(head()))
    before = [layer.name for layer in viewer.layers]
    count = compare(qtbot, widget)
    assert cells(viewer) == [["compared", "compared", "crosshair"]] * count
    viewer.dims.set_point(range(3), (4.0, -8.0, 12.0))
    for layer in drawn(viewer):
        start, step = layer.data[:, 0], layer.data[:, 1]
        found = np.array([layer.data_to_world(place) for place in (*start, *(start + step))])
        assert len(start) == 4
        assert found[:, 0] == pytest.approx(viewer.dims.point[0])
        assert (np.isclose(found[:, 1:], viewer.dims.point[1:]).any(axis=1)).all()
    widget.form.view.switches["edge"].button("contour").click()
    assert cells(viewer) == [["compared", "compared", "contour", "crosshair"]] * count
    viewer.dims.ndisplay = 3
    assert cells(viewer) == [["compared", "compared"]] * count
    viewer.dims.ndisplay = 2
    assert cells(viewer) == [["compared", "compared", "contour", "crosshair"]] * count
    switch(widget, "crosshair")
    assert cells(viewer) == [["compared", "compared", "contour"]] * count
    switch(widget, "crosshair")
    widget.form.view.switches["edge"].button("hard").click()
    widget.form.compare.back.click()
    assert [layer.name for layer in viewer.layers] == before
    assert viewer.canvas.grid.stride == 1


def test_side_by_side_the_ring_lies_in_every_cell_and_in_that_of_a_difference(
    qtbot, widget, viewer, anatomy, desk
) -> None:
    widget.controller.show(anatomy, explanation_of(head()))
    viewer.dims.set_point(range(3), PEAK)
    desk.mark(PEAK)
    count = compare(qtbot, widget)
    assert [len(layer.data) > 8 for layer in drawn(viewer)] == [True] * count
    with qtbot.waitSignal(widget.controller.comparison.difference_changed):
        widget.form.difference.go.click()
    assert cells(viewer) == [["compared", "compared", "crosshair"]] * (count + 1)
    viewer.dims.set_point(0, PEAK[0] + 2 * viewer.dims.range[0].step)
    assert [len(layer.data) for layer in drawn(viewer)] == [0] * (count + 1)
    viewer.layers.remove(drawn(viewer)[0])  # as with any layer of a cell
    assert not widget.controller.comparison.shown
    assert len(drawn(viewer)) == 1


def test_over_a_series_and_a_layer_in_other_units(qtbot, viewer) -> None:
    volume = head()
    frames = np.stack([volume.data.transpose()] * 3)
    data, keywords = series_layer_data(frames, volume, 2.0)
    viewer.add_image(data, **keywords)
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    units = viewer.layers.units
    switch(widget, "crosshair")
    viewer.dims.set_point(0, 2.0)
    assert len(ends(viewer)) == 4
    assert viewer.layers.units == units
    viewer.layers.clear()
    viewer.add_image(np.ones((9, 11, 13)), scale=(4000,) * 3, units="um")
    widget.form.marks.marks["crosshair"].setChecked(True)
    assert len(ends(viewer)) == 4
    assert str(viewer.layers.units[-1]) in ("um", "micrometer")
    widget.controller.close()


def test_a_closed_form_leaves_no_line(widget, viewer) -> None:
    switch(widget, "crosshair")
    count = len(viewer.mouse_drag_callbacks)
    widget._detach()
    assert drawn(viewer) == []
    viewer.dims.set_point(0, 4.0)
    assert drawn(viewer) == []
    assert len(viewer.mouse_drag_callbacks) == count - 1


def test_no_colour_map_on_offer_has_its_colour() -> None:
    from g3dvit_napari.plugin.picture.colormaps import SIGNED_MAPS, UNSIGNED_MAPS, colours

    ours = np.array([int(COLOR[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    for name in (*UNSIGNED_MAPS[:3], *SIGNED_MAPS):  # viridis and cividis have greens of their own
        there = np.asarray(colours(name).map(np.linspace(0, 1, 200)))[:, :3]
        assert np.abs(there - ours).max(axis=1).min() > 0.3, name
