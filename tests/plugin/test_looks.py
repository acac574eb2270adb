"""Planes, slab, volume, cut-away and turntable: each does what it says and leaves nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from made_heads import MARKER, explanation_of, head
from qtpy.QtCore import Qt

from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.picture.cut_away import CutAway
from g3dvit_napari.plugin.picture.layers import series_layer_data, to_layer_data
from g3dvit_napari.plugin.picture.looks_box import PLANES, SIDES, VIEWS, LooksBox
from g3dvit_napari.plugin.picture.looks_desk import LooksDesk
from g3dvit_napari.plugin.picture.planes import order_of, plane_of
from g3dvit_napari.plugin.picture.sides import Sides
from g3dvit_napari.plugin.picture.turntable import turn_camera

LEFT_TO_RIGHT = [(first, second) for first in VIEWS for second in VIEWS]


@pytest.fixture
def anatomy(viewer):
    data, keywords = to_layer_data(head())
    return viewer.add_image(data, **keywords)


@pytest.fixture
def box(qtbot) -> LooksBox:
    box = LooksBox()
    qtbot.addWidget(box)
    return box


@pytest.fixture
def controller(viewer):
    controller = Controller(viewer)
    yield controller
    controller.close()


@pytest.fixture
def sides(viewer) -> Sides:
    sides = Sides(viewer)
    sides.turn("neurological")
    sides.write()
    return sides


@pytest.fixture
def desk(viewer, sides, anatomy, controller, box):  # noqa: ARG001 - upright from the start
    desk = LooksDesk(viewer, controller, box, box)
    desk.attach()
    controller.show(anatomy, explanation_of(head()))
    controller.jump_to_peak()
    return desk


def state(viewer) -> dict[str, object]:
    """Return all that a view may have changed in dims and layers."""
    dims, camera = viewer.dims, viewer.scene.camera
    found: dict[str, object] = {
        "dims": (dims.ndisplay, dims.order, dims.point, dims.margin_left, dims.margin_right),
        "camera": (*camera.center, camera.zoom, *map(str, camera.orientation)),
    }
    for layer in viewer.layers:
        planes = [(p.position, p.normal, p.enabled) for p in layer.experimental_clipping_planes]
        look = [str(layer.rendering), layer.attenuation, layer.opacity, str(layer.blending)]
        found[layer.name] = (*look, str(layer.projection_mode), planes)
    return found


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("ndim", [3, 4, 5])
def test_order_of_axes_names_its_plane(ndim, plane) -> None:
    order = order_of(plane, ndim)
    assert plane_of(order) == plane
    assert sorted(order) == list(range(ndim))
    assert order[-2:] == tuple(sorted(order[-2:]))  # superior over anterior over right


def test_an_order_of_no_plane_has_no_name() -> None:
    assert plane_of((0, 2, 1)) is None
    assert plane_of((1, 0)) is None


@pytest.mark.parametrize("view", ["slices", "slab"])
def test_planes_keep_the_crosshair(viewer, sides, desk, box, view) -> None:
    box.views.button(view).click()
    point = viewer.dims.point
    assert np.abs(np.array(point) - MARKER[::-1]).max() <= 11
    for plane, letters in [("coronal", "LRSI"), ("sagittal", "PASI"), ("axial", "LRAP")]:
        box.planes.button(plane).click()
        assert viewer.dims.point == point
        assert viewer.dims.order == order_of(plane, 3)
        assert "".join(sides.letters.values()) == letters
        assert desk.view == view


def test_each_plane_remembers_its_frame(viewer, desk) -> None:
    viewer.scene.camera.zoom = 9.0
    desk.show_plane("sagittal")
    assert viewer.scene.camera.zoom != 9.0  # filled at first
    viewer.scene.camera.zoom = 4.0
    desk.show_plane("axial")
    assert viewer.scene.camera.zoom == 9.0
    desk.show_plane("sagittal")
    assert viewer.scene.camera.zoom == 4.0


@pytest.mark.parametrize("plane", PLANES)
def test_volume_is_never_mirrored_whatever_the_plane_was(viewer, sides, desk, plane) -> None:
    desk.show_plane(plane)
    desk.show("volume")
    assert viewer.dims.order == (0, 1, 2)
    viewer.scene.camera.set_view_direction((0, -1, 0), (1, 0, 0))
    assert sides.letters["right"] == "L"  # seen from the front
    desk.show("slices")
    assert viewer.dims.order == order_of(plane, 3)


@pytest.mark.parametrize("start", PLANES)
@pytest.mark.usefixtures("desk")
def test_nothing_stays_of_any_two_views(viewer, box, start) -> None:
    box.planes.button(start).click()
    before = state(viewer)
    for first, second in LEFT_TO_RIGHT:
        for view in (first, second):
            box.views.button(view).click()
            box.thickness.setValue(box.thickness.value() + 1)
            box.depth.setValue(box.depth.value() + 1)
        box.turn.click()
        box.views.button("slices").click()
        assert state(viewer) == before, (first, second)
    other = next(plane for plane in PLANES if plane != start)
    for view, plane in itertools.product(VIEWS, (other, start)):
        box.views.button(view).click()
        box.planes.button(plane).click()
    box.views.button("slices").click()
    assert state(viewer) == before


@pytest.mark.parametrize("view", VIEWS)
def test_detached_desk_leaves_the_viewer_as_it_was(viewer, desk, view) -> None:
    events = viewer.dims.events
    callbacks = len(events.point.callbacks), len(events.order.callbacks)
    modes = [str(layer.projection_mode) for layer in viewer.layers]
    desk.show(view)
    plain = {"slab": "slices", "cut_away": "volume"}.get(view, view)
    desk.detach()
    assert desk.view == plain
    assert viewer.dims.thickness == (0, 0, 0)
    assert not any(layer.experimental_clipping_planes for layer in viewer.layers)
    assert [str(layer.projection_mode) for layer in viewer.layers] == modes
    assert len(events.point.callbacks) == callbacks[0]
    assert len(events.order.callbacks) == callbacks[1] - 1


@pytest.mark.parametrize(("signed", "expected"), [(False, "max"), (True, "mean")])
def test_slab_projects_old_and_new_layers(viewer, anatomy, controller, desk, signed, expected):
    controller.show(anatomy, explanation_of(head(), signed=signed))
    desk.show("slab")
    assert viewer.dims.thickness == (20, 20, 20)
    controller.overlay.set_resolution("patches")  # a layer that was not there
    modes = [str(layer.projection_mode) for layer in viewer.layers]
    assert modes == ["mean", expected, expected]


def test_slab_shows_the_strongest_relevance_within(viewer, desk, box) -> None:
    layer = desk._controller.overlay.layer
    viewer.dims.set_point(0, MARKER[2] + 12)
    thin = layer._data_view.max()
    box.views.button("slab").click()
    box.thickness.setValue(40)
    assert layer._data_view.max() > 1.3 * thin
    assert layer._data_view.max() == pytest.approx(layer.data.max())


def test_slab_of_a_series_leaves_time_alone(viewer, controller, box) -> None:
    volume = head()
    frames = np.stack([volume.data.transpose()] * 3)
    data, keywords = series_layer_data(frames, volume, 2.0)
    anatomy = viewer.add_image(data, **keywords)
    desk = LooksDesk(viewer, controller, box, box)
    desk.attach()
    controller.show(anatomy, explanation_of(volume))
    before = state(viewer)
    desk.show("slab")
    assert viewer.dims.thickness == (0, 20, 20, 20)
    desk.show_plane("sagittal")
    assert viewer.dims.order == (0, 3, 1, 2)
    desk.show_plane("axial")
    desk.show("slices")
    assert state(viewer) == before


def kept(anatomy, world) -> bool:
    """Whether the clipping planes, which lie in the world, leave a point (z y x)."""
    planes = anatomy.experimental_clipping_planes
    return all(np.dot(world - np.array(p.position), p.normal) >= -1e-6 for p in planes)


@pytest.mark.parametrize("side", SIDES)
def test_cut_away_takes_off_its_side_of_the_crosshair(viewer, anatomy, side) -> None:
    viewer.dims.ndisplay = 3
    viewer.scene.camera.set_view_direction((-0.35, 0.75, 0.55), (1, 0, 0))
    viewer.dims.point = (5.0, -8.0, 11.0)
    cut = CutAway(viewer, anatomy)
    towards = {
        "near": -np.array(viewer.scene.camera.view_direction),
        **{"left": [0, 0, -1], "right": [0, 0, 1], "front": [0, 1, 0]},
        **{"back": [0, -1, 0], "top": [1, 0, 0], "bottom": [-1, 0, 0]},
    }
    cut.cut(side)
    toward, point = np.array(towards[side], dtype=float), np.array(viewer.dims.point)
    assert not kept(anatomy, point + 0.1 * toward)
    assert kept(anatomy, point - 0.1 * toward)
    cut.cut(side, 7.0)
    assert not kept(anatomy, point - 6.9 * toward)
    assert kept(anatomy, point - 7.1 * toward)
    cut.close()
    assert list(anatomy.experimental_clipping_planes) == []


def test_cut_away_follows_crosshair_and_camera_and_spares_the_map(
    viewer, anatomy, desk, box
) -> None:
    desk.show("cut_away")
    box.side.choose("near")
    (plane,) = anatomy.experimental_clipping_planes
    assert not desk._controller.overlay.layer.experimental_clipping_planes
    before = plane.normal
    viewer.scene.camera.set_view_direction((0, 1, 0), (1, 0, 0))
    (plane,) = anatomy.experimental_clipping_planes
    assert plane.normal == pytest.approx((0, 1, 0))
    assert plane.normal != before
    viewer.dims.point = (5.0, -8.0, 11.0)
    (plane,) = anatomy.experimental_clipping_planes
    assert plane.position == pytest.approx(viewer.dims.point)


def test_cut_away_keeps_the_planes_of_the_user(anatomy, desk) -> None:
    anatomy.experimental_clipping_planes = [{"position": (3, 4, 5), "normal": (1, 0, 0)}]
    desk.show("cut_away")
    assert len(anatomy.experimental_clipping_planes) == 2
    desk.show("slices")
    (plane,) = anatomy.experimental_clipping_planes
    assert plane.position == (3, 4, 5)


def test_views_of_a_map_wait_for_one(viewer, anatomy, controller, box) -> None:
    desk = LooksDesk(viewer, controller, box, box)
    desk.attach()
    button = box.views.button("cut_away")
    assert not button.isEnabled()
    assert "Compute an explanation first" in button.toolTip()
    controller.show(anatomy, explanation_of(head()))
    assert button.isEnabled()
    desk.show("cut_away")
    viewer.layers.remove(anatomy)
    assert not button.isEnabled()
    assert (desk.view, viewer.dims.ndisplay) == ("volume", 3)


def test_napari_s_own_buttons_are_followed(viewer, desk, box) -> None:
    desk.show("slab")
    viewer.dims.ndisplay = 3
    assert (desk.view, box.views.value()) == ("volume", "volume")
    assert viewer.dims.thickness == (0, 0, 0)
    viewer.dims.ndisplay = 2
    assert box.views.value() == "slices"
    viewer.dims.order = order_of("coronal", 3)
    assert box.planes.value() == "coronal"


def test_controls_belong_to_their_view(box) -> None:
    shown = {
        "slices": "",
        "slab": "thickness",
        "volume": "turn pace",
        "cut_away": "side depth turn pace",
    }
    for view, names in shown.items():
        box.show_view(view)
        for name in ("thickness", "side", "depth", "turn", "pace"):
            visible = getattr(box, name).isVisibleTo(box)
            assert visible == (name in names.split()), (view, name)


@pytest.mark.parametrize("convention", ["neurological", "radiological"])
def test_camera_goes_round_the_long_axis(viewer, sides, desk, convention) -> None:
    sides.turn(convention)
    desk.show("volume")
    camera = viewer.scene.camera
    before = np.array(camera.view_direction)
    heights, steps = [], []
    for _ in range(8):
        last = np.array(camera.view_direction)
        turn_camera(camera, 45)
        heights.append(camera.view_direction[0])
        steps.append(np.linalg.norm(last - camera.view_direction))
        assert camera.up_direction[0] > 0
    assert np.allclose(heights, before[0])
    assert np.ptp(steps) < 1e-6
    assert np.allclose(camera.view_direction, before)


def test_turntable_turns_and_comes_back(qtbot, viewer, desk, box) -> None:
    desk.show("cut_away")
    camera, seen = viewer.scene.camera, set()
    before = camera.angles
    qtbot.mouseClick(box.turn, Qt.MouseButton.LeftButton)

    def turned() -> bool:
        seen.add(tuple(np.round(camera.view_direction, 6)))
        return len(seen) > 3

    qtbot.waitUntil(turned)
    assert "Stop" in box.turn.text()
    desk.show("volume")  # goes on turning
    assert desk.turntable.runs
    qtbot.mouseClick(box.turn, Qt.MouseButton.LeftButton)
    assert camera.angles == before
    assert "Turntable" in box.turn.text()
    assert not box.turn.isChecked()
