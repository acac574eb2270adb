"""The contour lies where the map crosses the cut, follows the slices, and goes when not wanted."""

from __future__ import annotations

import numpy as np
import pytest
from made_heads import MARKER, blob, explanation_of, head

from g3dvit_napari.plugin.picture.contour import Contour
from g3dvit_napari.plugin.picture.layers import (
    drawn_affine,
    is_volume,
    role_of,
    series_layer_data,
    to_layer_data,
    volume_of,
)
from g3dvit_napari.plugin.picture.outline import block_outline, smooth_outline
from g3dvit_napari.plugin.picture.overlay import Overlay


def contours(viewer) -> list:
    return [layer for layer in viewer.layers if role_of(layer) == "contour"]


def ends_in_world(layer) -> np.ndarray:
    """Return the start points (n, z y x) of all pieces in the world."""
    return np.array([layer.data_to_world(start) for start in layer.data[:, 0]])


@pytest.fixture
def overlay(viewer):
    data, keywords = to_layer_data(head())
    overlay = Overlay(viewer, viewer.add_image(data, **keywords))
    overlay.show(explanation_of(head()))
    overlay.jump_to_peak()
    return overlay


def test_blocks_are_outlined_along_their_borders() -> None:
    above = np.zeros((4, 5), bool)
    above[1, 1:3] = True
    above[3, 4] = True  # at the corner: closed along the border of the plane
    lines = block_outline(above)
    assert len(lines) == 6 + 4
    assert np.abs(lines[:, 0] - lines[:, 1]).sum(axis=1) == pytest.approx(1.0)
    wanted = {(0.5, 0.5), (0.5, 2.5), (1.5, 0.5), (1.5, 2.5), (2.5, 3.5), (3.5, 4.5)}
    assert wanted <= {tuple(point) for point in lines.reshape(-1, 2)}
    assert len(block_outline(np.zeros((4, 5), bool))) == 0


def test_smooth_planes_are_outlined_where_they_cross_the_level() -> None:
    x, y = np.meshgrid(np.arange(31), np.arange(23), indexing="ij")
    plane = 10 - np.hypot(x - 15, y - 11)
    radius = np.hypot(*(smooth_outline(plane, 4.0)[:, 0] - [15, 11]).T)
    assert radius == pytest.approx(6.0, abs=0.03)
    whole = smooth_outline(np.ones((4, 6)), 0.5).reshape(-1, 2)
    assert whole.min() == -0.5
    assert whole.max(axis=0) == pytest.approx([3.5, 5.5])


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_line_lies_where_the_map_crosses_the_cut(viewer, overlay, order) -> None:
    overlay.set_cut(0.4)
    overlay.set_edge("contour")
    viewer.dims.order = order
    (line,) = contours(viewer)
    map_ = overlay.layer
    places = ends_in_world(line)
    assert len(places) > 10
    axis = order[0]
    assert places[:, axis] == pytest.approx(viewer.dims.point[axis], abs=2.3)
    indices = np.array([map_.world_to_data(place) for place in places])
    assert indices[:, axis] == pytest.approx(np.rint(indices[:, axis]))
    from scipy.ndimage import map_coordinates

    values = map_coordinates(map_.data, indices.T, order=1)
    assert values == pytest.approx(0.4, abs=0.02)


def test_line_follows_cut_slice_and_detail_and_goes(viewer, overlay) -> None:
    selected = set(viewer.layers.selection)
    overlay.set_edge("contour")
    (line,) = contours(viewer)
    assert set(viewer.layers.selection) == selected
    assert not is_volume(line)
    before = line.data.copy()
    overlay.set_cut(0.8)
    assert len(line.data) < len(before)
    viewer.dims.set_point(0, viewer.dims.range[0].stop)  # above the map
    assert len(line.data) == 0
    overlay.jump_to_peak()
    assert len(line.data) > 0
    overlay.set_resolution("patches")
    (line,) = contours(viewer)  # around the blocks: steps of their own, each along one axis
    assert np.count_nonzero(line.data[:, 1], axis=1).max() == 1
    assert viewer.layers[-1] is line
    overlay.set_view("volume")
    assert contours(viewer) == []
    assert "slices only" in overlay.caption
    overlay.set_view("slices")
    assert len(contours(viewer)) == 1
    overlay.set_cut(None)
    assert contours(viewer) == []
    overlay.set_cut(0.5)
    overlay.set_edge("hard")
    assert contours(viewer) == []
    viewer.dims.set_point(0, 0.0)  # nothing follows any more
    assert contours(viewer) == []


def test_the_steps_of_the_sliders_stay(viewer, overlay) -> None:
    before = np.array([(r.start, r.stop, r.step) for r in viewer.dims.range])
    overlay.set_edge("contour")
    after = np.array([(r.start, r.stop, r.step) for r in viewer.dims.range])
    assert np.allclose(after, before)


def test_line_is_as_wide_on_the_screen_however_near(viewer, overlay) -> None:
    overlay.set_edge("contour")
    (line,) = contours(viewer)
    viewer.scene.camera.zoom = 2.0
    wide = line.edge_width
    viewer.scene.camera.zoom = 8.0
    assert line.edge_width == pytest.approx(wide / 4)
    assert wide * line.scale[0] == pytest.approx(1.0)  # two pixels of half a millimetre


def test_evidence_for_and_against_have_lines_of_their_own(viewer) -> None:
    right = np.array([24.0, 12.0, 18.0])
    volume = head()
    data, keywords = to_layer_data(volume)
    overlay = Overlay(viewer, viewer.add_image(data, **keywords))
    overlay.show(explanation_of(volume, lambda c: blob(c) - 0.9 * blob(c, right), signed=True))
    overlay.jump_to_peak()
    overlay.set_edge("contour")
    (line,) = contours(viewer)
    x = ends_in_world(line)[:, 2]
    colors = np.unique(line.edge_color[x < 0], axis=0), np.unique(line.edge_color[x > 0], axis=0)
    assert [len(found) for found in colors] == [1, 1]
    assert not np.allclose(colors[0], colors[1])


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_line_follows_a_tilted_layer_of_someone_else(viewer) -> None:
    anatomy = viewer.add_image(head().data.transpose(), scale=(4, 4, 4), rotate=(10, 5, 0))
    overlay = Overlay(viewer, anatomy)
    overlay.show(explanation_of(volume_of(anatomy)))
    overlay.jump_to_peak()
    overlay.set_edge("contour")
    (line,) = contours(viewer)
    assert np.allclose(drawn_affine(line), drawn_affine(overlay.layer))


def test_no_line_stays_of_a_map_that_was_removed(viewer, overlay) -> None:
    overlay.set_cut(0.5)
    overlay.set_edge("contour")
    viewer.layers.remove(overlay.layer)
    overlay.close()
    assert contours(viewer) == []


def test_closing_leaves_a_hard_map_and_no_line(viewer, overlay) -> None:
    overlay.set_cut(0.5)
    overlay.set_edge("contour")
    overlay.close()
    assert contours(viewer) == []
    alpha = overlay.layer.colormap.map(np.array([0.4, 0.9]))[:, 3]
    assert alpha[0] == 0 < alpha[1]


def test_a_line_left_behind_is_found_again(viewer, overlay) -> None:
    overlay.set_edge("contour")
    (line,) = contours(viewer)
    line.name = "mine"
    other = Contour(viewer, viewer.layers[0])
    assert other.layer is line
    overlay.set_cut(0.6)
    assert line.name == "mine"


def test_line_follows_the_maps_of_a_series(viewer) -> None:
    volume, right = head(), MARKER * [-1, 1, 1]
    data, keywords = series_layer_data(np.stack([volume.data.transpose()] * 3), volume, 2.0)
    overlay = Overlay(viewer, viewer.add_image(data, **keywords))
    overlay.show(explanation_of(volume))
    overlay.jump_to_peak()
    overlay.set_edge("contour")
    (line,) = contours(viewer)
    first = line.data.copy()
    assert ends_in_world(line)[:, 2].mean() < 0
    viewer.dims.set_point(0, 2.0)
    overlay.swap(explanation_of(volume, lambda c: blob(c, right)))
    assert ends_in_world(line)[:, 2].mean() > 0
    overlay.show_nothing("frame 2: not explained")
    assert len(line.data) == 0
    overlay.swap(explanation_of(volume))
    assert np.allclose(line.data, first)


def test_line_leaves_the_cells_of_a_comparison_alone(viewer, overlay) -> None:
    overlay.set_edge("contour")
    overlay.give_way(True)
    assert contours(viewer) == []
    overlay.set_cut(0.3)  # a cell is a pair of layers: a third would push the others along
    assert contours(viewer) == []
    overlay.give_way(False)
    assert len(contours(viewer)) == 1
