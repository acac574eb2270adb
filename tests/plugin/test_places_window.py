"""The page of places in a real window: rows clicked and walked, the mouse over the canvas."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from patience import rest
from pointer import click, move_to
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.places.places_box import PlacesBox
from g3dvit_napari.plugin.places.readout import ReadOut
from g3dvit_napari.plugin.settings import PLUGIN
from g3dvit_napari.plugin.widget import open_form

pytestmark = pytest.mark.window


@pytest.fixture
def explained(qtbot, make_napari_viewer, tiny_files):
    """A window with a signed map of the tiny scan, cut at a tenth of its strongest place."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 860)
    viewer.open(str(tiny_files / "scan.nii.gz"), plugin=PLUGIN)
    widget = open_form(viewer)
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint(str(tiny_files / "vit.pth"))
    rest(qtbot, widget)
    widget.form.question.methods.choose("libra_grad")
    widget.form.threshold.choose(Threshold("value", 0.1, "voxels"))
    with qtbot.waitSignal(widget.controller.explained, timeout=60_000):
        click(qtbot, widget.form.run.button)
    rest(qtbot, widget)
    widget.form.turn_to("Places")
    QApplication.processEvents()
    return viewer, widget


def canvas_of(viewer):
    widgets = QApplication.allWidgets()
    found = [w for w in widgets if "CanvasBackend" in type(w).__name__ and w.isVisible()]
    assert len(found) == 1
    assert viewer.scene is not None
    return found[0]


def hover(qtbot, viewer, place) -> np.ndarray:
    """Move the mouse near a point (z y x) of the slice; return the point under that pixel."""
    canvas, camera = canvas_of(viewer), viewer.scene.camera
    middle = np.array([canvas.height(), canvas.width()]) / 2
    steps = (np.array(place[1:]) - np.array(camera.center[1:])) * camera.zoom
    down, right = np.rint(middle + steps * (-1, 1)).astype(int)  # the front is at the top
    move_to(canvas, QPoint(5, 5))
    qtbot.wait(30)
    move_to(canvas, QPoint(int(right), int(down)))
    qtbot.wait(30)
    offset = (np.array([down, right]) - middle) / camera.zoom * (-1, 1)
    return np.array([viewer.dims.point[0], *(np.array(camera.center[1:]) + offset)])


def row_place(table, row: int) -> QPoint:
    return table.visualRect(table.model().index(row, 1)).center()


def test_rows_are_clicked_and_walked(qtbot, explained, screenshots) -> None:
    viewer, widget = explained
    (box,) = widget.findChildren(PlacesBox)
    table, found = box.peaks, widget.controller.explanation
    assert len(table.rows) > 2
    for row, act in enumerate(
        (
            lambda: click(qtbot, table.viewport(), row_place(table, 0)),
            lambda: qtbot.keyClick(table, Qt.Key.Key_Down),
        )
    ):
        viewer.dims.set_point(range(3), (-1000, 1000, 1000))
        act()
        place = table.rows[row].place
        values = found.scaled.voxels
        assert place.relevance == pytest.approx(values[place.index])
        voxel = viewer.layers[0].world_to_data(viewer.dims.point)[::-1]
        assert np.allclose(voxel, place.index, atol=1e-3)
    places = [row.place for row in table.rows]
    strongest = max(abs(place.relevance) for place in places)
    assert strongest == pytest.approx(float(np.nanmax(np.abs(found.scaled.voxels))))
    for place in places:
        assert np.allclose(found.relevance.affine[:3] @ (*place.index, 1), place.world_mm)
    viewer.screenshot(str(screenshots / "places.png"), canvas_only=False, flash=False)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
def test_a_place_out_of_sight_is_brought_into_it(qtbot, explained, order) -> None:
    viewer, widget = explained
    (box,) = widget.findChildren(PlacesBox)
    viewer.dims.order = order
    camera, first = viewer.scene.camera, row_place(box.peaks, 0)
    before = camera.center
    click(qtbot, box.peaks.viewport(), first)
    assert camera.center == before  # it is in sight
    camera.zoom *= 20
    camera.center = (0.0, 200.0, 200.0)
    viewer.screenshot(canvas_only=True, flash=False)
    click(qtbot, box.peaks.viewport(), first)
    shown = [viewer.dims.point[axis] for axis in order[1:]]
    assert np.allclose(camera.center[1:], shown)


def test_what_is_under_the_mouse(qtbot, explained) -> None:
    viewer, widget = explained
    (box,), (line,) = widget.findChildren(PlacesBox), widget.findChildren(ReadOut)
    click(qtbot, box.peaks.viewport(), row_place(box.peaks, 0))
    widget.form.turn_to("Explain")  # it is seen from every page
    place = hover(qtbot, viewer, viewer.dims.point)
    assert line.isVisible()
    found, layer = widget.controller.explanation, viewer.layers[0]
    voxel = np.array(layer.world_to_data(place))[::-1]
    x, y, z = found.relevance.affine[:3] @ (*voxel, 1)  # the scanner's, tilted as it is
    shown = [float(part) for part in line.words.partition(" mm")[0].split()]
    assert shown == pytest.approx([x, y, z], abs=0.06 + 0.6 / viewer.scene.camera.zoom)
    value = found.scaled.voxels[tuple(np.floor(voxel + 0.5).astype(int))]
    assert f"· {value:.2f} (" in line.words
    hover(qtbot, viewer, layer.data_to_world((8, 0, 9)))  # the network is given less than that
    assert line.words.endswith("outside the field of view")
    move_to(canvas_of(viewer), QPoint(3, 3))
    qtbot.waitUntil(lambda: line.words == "")


def test_a_label_image_is_chosen_and_sorted(qtbot, explained, tmp_path, monkeypatch) -> None:
    viewer, widget = explained
    (box,) = widget.findChildren(PlacesBox)
    stored = nib.load(str(next(tmp_path.glob("scan.nii.gz"))))
    labels = np.indices(stored.shape)[1] // 6 + 1
    nib.Nifti1Image(labels.astype(np.uint8), stored.affine).to_filename(tmp_path / "four.nii.gz")
    (tmp_path / "four.tsv").write_text("index\tname\n1\tfirst\n2\tsecond\n3\tthird\n")
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getOpenFileName",
        lambda *_, **__: (str(tmp_path / "four.nii.gz"), ""),
    )
    click(qtbot, box.browse)
    rest(qtbot, widget)
    table = box.regions
    qtbot.waitUntil(lambda: table.isVisible() and len(table.rows) == 5)
    assert [row.name for row in table.rows][:4] == ["first", "second", "third", "label-4"]
    header = table.horizontalHeader()
    at = QPoint(header.sectionViewportPosition(1) + 20, header.height() // 2)
    click(qtbot, header.viewport(), at)
    known = [r.enrichment for r in table.rows if r.enrichment is not None]
    assert known == sorted(known, reverse=True)
    assert known[0] > 1 > known[-1]
    click(qtbot, table.viewport(), row_place(table, 0))
    voxel = viewer.layers[0].world_to_data(viewer.dims.point)[::-1]
    assert np.allclose(voxel, table.rows[0].peak.index, atol=1e-3)
    dock = viewer.window.dock_widgets
    assert dock
    widget.resize(280, 700)
    assert widget.minimumSizeHint().width() <= 280
