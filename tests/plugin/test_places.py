"""Tables of places, jumps and the read-out, on the viewer's model."""

from __future__ import annotations

import csv
import time
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from made_heads import MARKER, blob, explanation_of, head
from patience import rest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from g3dvit_napari.core.atlas import atlas_of
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.picture.layers import grid_over, to_layer_data
from g3dvit_napari.plugin.places.desk import PlacesDesk
from g3dvit_napari.plugin.places.ground import Ground
from g3dvit_napari.plugin.places.places_box import PlacesBox
from g3dvit_napari.plugin.places.reading import Sight
from g3dvit_napari.plugin.places.readout import ReadOut
from g3dvit_napari.plugin.widget import ExplainWidget

pytestmark = pytest.mark.usefixtures("api")
HALF = Threshold("value", 0.5, "voxels")


@pytest.fixture
def widget(qtbot, viewer):
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    rest(qtbot, widget)
    yield widget
    widget.controller.close()
    rest(qtbot, widget)


@pytest.fixture
def box(widget) -> PlacesBox:
    return widget.findChild(PlacesBox)


@pytest.fixture
def line(widget) -> ReadOut:
    return widget.findChild(ReadOut)


def show(qtbot, widget, viewer, explanation=None, volume=None, **how):
    """Lay an explanation over a head, and wait for its tables."""
    volume = volume or head()
    explanation = explanation or explanation_of(volume, threshold=HALF, **how)
    data, keywords = to_layer_data(volume)
    layer = viewer.add_image(data, **keywords)
    widget.controller.show(layer, explanation)
    rest(qtbot, widget)
    return explanation


def sight_of(viewer, volume, atlas=None, **how) -> Sight:
    data, keywords = to_layer_data(volume)
    layer = viewer.add_image(data, **keywords)
    explanation = explanation_of(volume, **how)
    return Sight(explanation, Ground.of(grid_over(layer, explanation.relevance)), atlas)


def move(viewer, point, direction=None) -> None:
    """Tell those who listen that the mouse is over a point (z y x), as napari does."""
    event = SimpleNamespace(
        position=tuple(point),
        view_direction=direction,
        dims_displayed=[0, 1, 2] if direction is not None else [1, 2],
    )
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, event)


def write_halves(path) -> None:
    """Write a label image on a finer, flipped grid: left and right of the middle, and names."""
    affine = np.diag([-1.5, 2.5, 2.0, 1.0])
    affine[:3, 3] = (75, -75, -65)
    x = 75 - 1.5 * np.arange(101)
    labels = np.broadcast_to(np.where(x < 0, 1, 2)[:, None, None], (101, 61, 66))
    nib.Nifti1Image(labels.astype(np.uint8), affine).to_filename(path)
    path.with_name("halves.tsv").write_text("index\tname\n1\t<b>left</b>\n2\tright\n")


@pytest.mark.parametrize("tilt", [0.0, 12.0])
def test_every_voxel_is_read_where_it_is(viewer, tilt) -> None:
    volume = head(tilt_degrees=tilt)
    sight = sight_of(viewer, volume)
    scaled = sight.explanation.scaled
    layer = viewer.layers[0]
    seen = np.isfinite(scaled.voxels)
    for index in [(8, 24, 17), (20, 5, 3), (9, 25, 18)]:
        assert seen[index]
        reading = sight.at(layer.data_to_world(index[::-1]))
        assert reading.world_mm == pytest.approx(tuple(volume.affine[:3] @ (*index, 1)))
        assert reading.relevance == scaled.voxels[index]
        assert reading.raw == pytest.approx(reading.relevance)  # its limits are 0 and 1
        share = (scaled.voxels[seen] >= reading.relevance).mean()
        assert reading.rank == pytest.approx(share)
        assert f"top {max(100 * share, 0.1):.1f} %" in reading.words


def test_between_voxels_the_place_is_exact_and_the_value_the_nearest(viewer) -> None:
    sight = sight_of(viewer, head())
    point = np.array(viewer.layers[0].data_to_world((17, 24, 8))) + np.array([1.1, -0.6, 0.7])
    reading = sight.at(point)
    assert reading.world_mm == pytest.approx(tuple(point[::-1]))
    assert reading.relevance == sight.explanation.scaled.voxels[8, 24, 17]


def test_off_the_map_nothing_is_read_and_unseen_places_are_told(viewer) -> None:
    sight = sight_of(viewer, head())
    layer = viewer.layers[0]
    assert sight.at(layer.data_to_world((-0.6, 5, 5))) is None
    assert sight.at(layer.data_to_world((5, 5, 32.6))) is None
    unseen = sight.at(layer.data_to_world((0, 0, 0)))
    assert unseen.relevance is None
    assert unseen.words.endswith(" mm · outside the field of view")


@pytest.mark.parametrize("direction", [(0, 0, 1.0), (0, -1.0, 0), (0.6, 0, -0.8)])
def test_in_a_volume_the_strongest_place_along_the_ray_is_read(viewer, direction) -> None:
    sight = sight_of(viewer, head())
    values = sight.explanation.scaled.voxels
    peak = np.unravel_index(np.nanargmax(values), values.shape)
    at_peak = np.array(viewer.layers[0].data_to_world(peak[::-1]))
    far = at_peak - 300 * np.array(direction)
    assert sight.along(far, direction).relevance == pytest.approx(values[peak], rel=0.02)
    assert sight.along(far + 500, direction) is None


def test_a_move_costs_less_than_two_milliseconds(qtbot, viewer, widget, line) -> None:
    show(qtbot, widget, viewer)
    points = np.random.default_rng(0).uniform(-50, 50, (100, 3))
    for direction in (None, (0.6, 0.0, -0.8)):
        started = time.thread_time()
        for point in points:
            move(viewer, point, direction)
        assert (time.thread_time() - started) / len(points) < 2e-3
        assert line.words


def test_the_table_lists_the_peak_and_a_click_goes_there(qtbot, viewer, widget, box) -> None:
    explanation = show(qtbot, widget, viewer)
    (row,) = box.peaks.rows
    values = explanation.scaled.voxels
    assert values[row.place.index] == np.nanmax(values)
    assert np.linalg.norm(np.array(row.place.world_mm) - MARKER) < 15
    viewer.dims.set_point(range(3), (0, 0, 0))
    box.peaks.chosen.emit(row)
    assert viewer.dims.point == pytest.approx(row.place.world_mm[::-1])
    viewer.dims.ndisplay = 3
    box.peaks.chosen.emit(row)
    assert tuple(viewer.scene.camera.center) == pytest.approx(row.place.world_mm[::-1])


def test_in_a_series_the_frame_stays(qtbot, viewer, widget, box) -> None:
    viewer.add_image(np.zeros((4, 3, 3, 3)), scale=(2.0, 1, 1, 1))
    show(qtbot, widget, viewer)
    viewer.dims.set_point(0, 6.0)
    (row,) = box.peaks.rows
    box.peaks.chosen.emit(row)
    assert viewer.dims.point == pytest.approx((6.0, *row.place.world_mm[::-1]))


def test_the_table_follows_the_threshold_outside_the_gui_thread(
    qtbot, viewer, widget, box, monkeypatch, api
) -> None:
    import threading

    threads = set()
    clusters_of = api.summaries.clusters_of

    def watched(*given, **named):
        threads.add(threading.get_ident())
        return clusters_of(*given, **named)

    monkeypatch.setattr(api.summaries, "clusters_of", watched)
    show(qtbot, widget, viewer)
    (before,) = box.peaks.rows
    widget.controller.settle(Threshold("value", 0.9, "voxels"))
    rest(qtbot, widget)
    (after,) = box.peaks.rows
    assert 0 < after.size_mm3 < before.size_mm3
    assert threading.get_ident() not in threads
    widget.controller.settle(Threshold("value", 1.5, "voxels"))
    rest(qtbot, widget)
    assert box.peaks.rows == []
    assert "no cluster" in box.remark.text()
    assert not box.save.isEnabled()
    assert "empty" in box.save.toolTip()


def test_a_map_that_shows_nothing_has_a_sentence(qtbot, viewer, widget, box) -> None:
    show(qtbot, widget, viewer, status="zero")
    assert box.peaks.rows == []
    assert box.remark.text() == "The map is zero everywhere."


def test_regions_of_a_file(qtbot, viewer, widget, box, line, tmp_path) -> None:
    show(qtbot, widget, viewer)
    write_halves(tmp_path / "halves.nii.gz")
    box.atlas_requested.emit(str(tmp_path / "halves.nii.gz"))
    rest(qtbot, widget)
    rows = {row.name: row for row in box.regions.rows}
    assert rows["<b>left</b>"].share > 0.9  # the marker is on the left
    assert rows["<b>left</b>"].enrichment > 1.5 > 0.5 > rows["right"].enrichment
    assert box.table is box.regions
    assert box.peaks.rows[0].place.region == "<b>left</b>"
    at_peak = np.array(box.peaks.rows[0].place.world_mm)[::-1]
    move(viewer, at_peak)
    assert line.words.splitlines()[1] == "<b>left</b>"
    assert line.textFormat() == Qt.TextFormat.PlainText
    box.atlas_chosen.emit("")
    rest(qtbot, widget)
    assert box.regions.rows == []
    assert "Choose a label image" in box.remark.text()


@pytest.mark.parametrize("tilt", [0.0, 12.0])
def test_regions_painted_over_the_volume(qtbot, viewer, widget, box, tilt) -> None:
    volume = head(tilt_degrees=tilt)
    show(qtbot, widget, viewer, volume=volume)
    drawn = viewer.layers[0]
    painted = np.zeros(drawn.data.shape, int)
    painted[:, :, :16] = 4
    place = {"scale": drawn.scale, "translate": drawn.translate, "units": drawn.units}
    layer = viewer.add_labels(painted, name="mine", **place)
    layer.features = {"index": [0, 4], "name": ["air", "left side"]}
    key = str(layer.unique_id)
    assert box.atlases.values() == ["", key]
    box.atlases.choose(key)
    box.atlas_chosen.emit(key)
    rest(qtbot, widget)
    (left, *_) = box.regions.rows
    assert (left.name, left.inside_view) == (
        "left side",
        pytest.approx(15 * 40 * 24 / (16 * 41 * 27), rel=0.2),
    )
    assert left.volume_ml == pytest.approx(16 * 41 * 27 * 4.0 * 3.5 * 4.5 / 1000)
    viewer.layers.remove(layer)
    rest(qtbot, widget)
    assert box.atlases.values() == [""]
    assert box.regions.rows == []


def test_a_wrong_label_image_is_told_and_the_table_stays(
    qtbot, viewer, widget, box, tmp_path
) -> None:
    show(qtbot, widget, viewer)
    heard = []
    widget.controller.failed.connect(heard.append)
    nib.Nifti1Image(np.full((3, 3, 3), 0.5), np.eye(4)).to_filename(tmp_path / "t1.nii.gz")
    box.atlas_requested.emit(str(tmp_path / "t1.nii.gz"))
    rest(qtbot, widget)
    assert "is no label" in heard[0]
    assert len(box.peaks.rows) == 1


def test_sorting_keeps_what_has_no_value_last(qtbot, viewer, widget, box) -> None:
    two = lambda c: blob(c) - 0.8 * blob(c, MARKER * [-1, 1, 1])  # noqa: E731
    show(qtbot, widget, viewer, values=two, signed=True)
    table = box.peaks
    keys = [column.key for column in table.columns]
    assert [row.name for row in table.rows] == ["1", "2"]
    table.sortByColumn(keys.index("peak_relevance"), Qt.SortOrder.AscendingOrder)
    assert [row.name for row in table.rows] == ["2", "1"]
    table.sortByColumn(keys.index("region"), Qt.SortOrder.DescendingOrder)  # nobody has one
    assert len(table.rows) == 2
    table.copy()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[:5] == ["#", "x", "y", "z", "Relevance"]
    assert len(lines) == 3


def test_a_saved_table_has_all_digits(qtbot, viewer, widget, box, tmp_path) -> None:
    show(qtbot, widget, viewer)
    box.save_requested.emit(str(tmp_path / "peaks.tsv"))
    rest(qtbot, widget)
    with (tmp_path / "peaks.tsv").open(encoding="utf-8") as file:
        (line,) = csv.DictReader(file, delimiter="\t")
    (row,) = box.peaks.rows
    assert float(line["x_mm"]) == pytest.approx(row.place.world_mm[0])
    assert float(line["cluster_size_mm3"]) == pytest.approx(row.size_mm3, rel=1e-5)
    assert line["region"] == "n/a"


def test_hundreds_of_regions_are_shown_at_once(qtbot, viewer, widget, box) -> None:
    explanation = show(qtbot, widget, viewer)
    cells = np.indices(explanation.relevance.shape) // 4
    labels = cells[0] + 9 * cells[1] + 99 * cells[2]
    atlas = atlas_of(explanation.relevance.like(labels))
    from g3dvit_napari.summaries import region_shares

    rows = region_shares(explanation, atlas).rows
    assert len(rows) > 500
    started = time.thread_time()
    box.show_tables((), "", rows, "")
    box.regions.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert time.thread_time() - started < 0.2


def test_closing_lets_go_of_everything(qtbot, viewer, widget, box, line) -> None:
    show(qtbot, widget, viewer)
    (desk,) = (f for f in widget.features if isinstance(f, PlacesDesk))
    desk.detach()
    assert viewer.mouse_move_callbacks == []
    assert desk._sight is None
    assert box.peaks.rows == []
    desk.attach()
    assert len(viewer.mouse_move_callbacks) == 1
    assert line.words == ""
