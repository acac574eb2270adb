"""The overlay lies on its anatomy, is gated by colours alone, and leaves the viewer as it was."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace

import numpy as np
import pytest
from made_heads import MARKER, blob, explanation_of, head

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.picture import maps
from g3dvit_napari.plugin.picture.colormaps import gated
from g3dvit_napari.plugin.picture.layers import grid_of, to_layer_data, volume_of
from g3dvit_napari.plugin.picture.overlay import Overlay
from g3dvit_napari.plugin.picture.sides import Sides

PATCHES = Threshold("value", 0.5, "patches")


def anatomy_in(viewer, volume=None):
    data, keywords = to_layer_data(volume or head())
    return viewer.add_image(data, **keywords)


@pytest.fixture
def anatomy(viewer):
    return anatomy_in(viewer)


@pytest.fixture
def overlay(viewer, anatomy):
    return Overlay(viewer, anatomy)


def two_sides(centres: np.ndarray) -> np.ndarray:
    """Return evidence for the class on the left, against it on the right."""
    return blob(centres) - 0.8 * blob(centres, MARKER * [-1, 1, 1])


@pytest.mark.parametrize("convention", ["neurological", "radiological"])
@pytest.mark.parametrize("resolution", ["smooth", "patches"])
@pytest.mark.parametrize("stored", ["RAS", "LAS", "LPI", "PSR"])
def test_left_relevance_lies_left(viewer, stored, resolution, convention) -> None:
    volume = head(stored)
    overlay = Overlay(viewer, anatomy_in(viewer, volume))
    Sides(viewer).turn(convention)
    overlay.show(explanation_of(volume))
    overlay.set_resolution(resolution)
    peak = overlay.jump_to_peak()
    assert np.abs(np.array(peak) - MARKER).max() <= 11  # half a patch
    assert viewer.dims.point == pytest.approx(peak[::-1], abs=2.3)
    assert str(viewer.scene.camera.handedness) == "left"


@pytest.mark.parametrize("tilt", [0.0, 9.0])
def test_overlay_shares_the_transform_of_its_anatomy_by_value(viewer, tilt) -> None:
    volume = head(tilt_degrees=tilt)
    anatomy = anatomy_in(viewer, volume)
    overlay = Overlay(viewer, anatomy)
    layer = overlay.show(explanation_of(volume))
    for corner in [(0, 0, 0), tuple(n - 1 for n in anatomy.data.shape)]:
        assert np.allclose(layer.data_to_world(corner), anatomy.data_to_world(corner))
    assert ("oblique 9.0°, grid view" in overlay.caption) == (tilt > 0)
    assert np.allclose(volume_of(layer).affine, volume.affine)


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_overlay_follows_a_tilted_layer_of_someone_else(viewer) -> None:
    volume = head()
    anatomy = viewer.add_image(volume.data.transpose(), scale=(4, 4, 4), rotate=(10, 5, 0))
    layer = Overlay(viewer, anatomy).show(explanation_of(volume_of(anatomy)))
    for corner in [(0, 0, 0), (5, 9, 2)]:
        assert np.allclose(layer.data_to_world(corner), anatomy.data_to_world(corner))


@pytest.mark.parametrize("unit", ["um", "pixel"])
def test_overlay_shares_the_units_of_its_anatomy(viewer, unit) -> None:
    volume, factor = head(), 1000 if unit == "um" else 1
    scale = factor * volume.spacing_mm[::-1]
    anatomy = viewer.add_image(volume.data.transpose(), scale=scale, units=(unit,) * 3)
    explained = volume_of(anatomy)
    assert explained.spacing_mm == pytest.approx(volume.spacing_mm)
    overlay = Overlay(viewer, anatomy)
    layer = overlay.show(explanation_of(explained))  # napari would warn of units that differ
    assert layer.units == anatomy.units
    assert np.allclose(layer.data_to_world((5, 9, 2)), anatomy.data_to_world((5, 9, 2)))
    assert np.allclose(volume_of(layer).affine, explained.affine)


@pytest.mark.parametrize("tilt", [0.0, 9.0])
def test_blocks_are_drawn_where_the_smooth_map_has_them(viewer, tilt) -> None:
    volume = head(tilt_degrees=tilt)
    overlay = Overlay(viewer, anatomy_in(viewer, volume))
    explanation = explanation_of(volume)
    smooth = overlay.show(explanation)
    overlay.set_resolution("patches")
    blocks = overlay.layer
    native = explanation.scaled.placement.to_native(explanation.scaled.patches, "nearest")
    for index in [(12, 20, 9), (9, 25, 16), (3, 4, 5), (20, 30, 20)]:
        world = smooth.data_to_world(index[::-1])
        drawn = blocks.data[tuple(np.rint(blocks.world_to_data(world)).astype(int))]
        assert drawn == pytest.approx(native[index], abs=1e-6)
    assert str(blocks.interpolation2d) == "nearest"
    assert np.allclose(
        volume_of(blocks).data,
        explanation.scaled.placement.patch_volume(explanation.scaled.patches).data,
    )
    assert np.allclose(volume_of(blocks).affine, explanation.patch_map.affine)
    assert blocks.visible
    assert not smooth.visible


def test_blocks_tilted_against_the_voxels_are_sampled_at_them(overlay) -> None:
    explanation = explanation_of(head())
    tilted = explanation_of(head(tilt_degrees=15))
    object.__setattr__(explanation, "patch_map", tilted.patch_map)
    object.__setattr__(explanation, "scaled", tilted.scaled)
    overlay.show(explanation)
    overlay.set_resolution("patches")
    assert overlay.layer.data.shape == head().data.shape[::-1]
    assert np.abs(np.array(overlay.jump_to_peak()) - MARKER).max() <= 15


def test_another_computation_updates_the_same_layer(viewer, overlay) -> None:
    first = overlay.show(explanation_of(head()))
    again = overlay.show(explanation_of(head(), lambda c: blob(c, -MARKER), target=0))
    assert again is first
    assert len(viewer.layers) == 2
    assert overlay.jump_to_peak()[0] > 10
    assert first.name == "healthy | G3D-ViT"
    first.name = "mine"
    overlay.show(explanation_of(head()))
    assert first.name == "mine"


def test_reopened_overlay_finds_its_layer_by_role(viewer, anatomy, overlay) -> None:
    first = overlay.show(explanation_of(head()))
    first.name = "renamed"
    overlay.close()
    assert Overlay(viewer, anatomy).show(explanation_of(head())) is first


def test_layer_removed_by_the_user_is_made_anew(viewer, overlay) -> None:
    viewer.layers.remove(overlay.show(explanation_of(head())))
    overlay.set_cut(0.3)
    overlay.set_resolution("patches")
    assert overlay.layer in viewer.layers


def test_two_anatomies_have_one_overlay_each(viewer, overlay) -> None:
    overlay.show(explanation_of(head()))
    other = Overlay(viewer, anatomy_in(viewer))
    other.show(explanation_of(head()))
    assert len(viewer.layers) == 4


def test_metadata_holds_the_request(overlay) -> None:
    entry = overlay.show(explanation_of(head())).metadata["g3dvit"]
    assert entry["role"] == "relevance"
    request = json.loads(json.dumps(entry["request"]))
    assert request["method"] == "g3dvit"
    assert request["threshold"] == {"kind": "value", "amount": 0.5, "stage": "voxels"}


def test_moving_the_cut_changes_colours_only(overlay) -> None:
    layer = overlay.show(explanation_of(head()))
    uploads = []
    layer.events.data.connect(uploads.append)
    layer.events.set_data.connect(uploads.append)
    data = layer.data
    for cut in np.linspace(0.1, 0.9, 9):
        overlay.set_cut(float(cut))
        shown = layer.colormap.map(np.array([cut - 0.01, cut + 0.01]))[:, 3]
        assert shown[0] == 0
        assert shown[1] >= min(0.5, cut)
    assert not uploads
    assert layer.data is data
    assert tuple(layer.contrast_limits) == (0, 1)


def test_cuts_leave_one_colour_map_behind(overlay) -> None:
    from napari.utils.colormaps import AVAILABLE_COLORMAPS

    overlay.show(explanation_of(head()))
    before = len(AVAILABLE_COLORMAPS)
    for cut in np.linspace(0.1, 0.9, 20):
        overlay.set_cut(float(cut))
    assert len(AVAILABLE_COLORMAPS) == before


def test_outside_the_view_is_transparent(overlay) -> None:
    explanation = explanation_of(head(), lambda c: np.ones(c.shape[1:]))
    assert np.isnan(explanation.relevance.data[0]).all()
    layer = overlay.show(explanation)
    for cut in (None, 0.0, 0.5):
        overlay.set_cut(cut)
        assert layer.colormap.map(layer.data[0, 0, :1])[0, 3] == 0


def test_signed_maps_hide_the_middle(overlay) -> None:
    layer = overlay.show(explanation_of(head(), two_sides, signed=True))
    assert tuple(layer.contrast_limits) == (-1, 1)
    alpha = layer.colormap.map((np.array([-0.6, -0.4, 0, 0.4, 0.6]) + 1) / 2)[:, 3]
    assert (alpha > 0).tolist() == [True, False, False, False, True]
    cold, warm = layer.colormap.map(np.array([0.1, 0.9]))[:, :3]
    assert cold[2] > cold[0]
    assert warm[0] > warm[2]


def test_same_layer_serves_signed_and_unsigned_methods(overlay) -> None:
    layer = overlay.show(explanation_of(head(), two_sides, signed=True))
    overlay.show(explanation_of(head()))
    assert tuple(layer.contrast_limits) == (0, 1)
    assert str(layer.rendering) == "mip"


def test_weak_values_do_not_veil_the_anatomy() -> None:
    alpha = gated("inferno", 0.05).map(np.array([0.0, 0.06, 0.1, 0.3, 1.0]))[:, 3]
    assert alpha[0] == 0
    assert 0.1 < alpha[1] < 0.3 < alpha[2] < 0.6 < alpha[3] < alpha[4]


def test_a_cut_near_zero_draws_no_veil_of_next_to_nothing() -> None:
    """A concentrated map: the strongest 5 % of voxels reach down to a thousandth of the peak."""
    alpha = gated("inferno", 0.001).map(np.array([0.002, 0.02, 0.3, 1.0]))[:, 3]
    assert 0 < alpha[0] < 0.02
    assert alpha[1] < 0.1
    assert alpha[2] > 0.85


def test_faded_edge_shows_a_glimpse() -> None:
    alpha = gated("inferno", 0.5, edge="faded").map(np.array([0.0, 0.2, 0.45, 0.55]))[:, 3]
    assert alpha[0] == 0
    assert 0 < alpha[1] < alpha[2] < 0.5 < alpha[3]


def test_colours_chosen_in_napari_are_gated_too(overlay) -> None:
    layer = overlay.show(explanation_of(head()))
    layer.colormap = "viridis"
    overlay.set_cut(0.7)
    assert layer.colormap.name == "viridis (gated)"
    assert layer.colormap.map(0.6)[0, 3] == 0


def recut(explanation, threshold: Threshold):
    """Return an explanation cut elsewhere, as the facade does it."""
    shown, cut = explanation.scaled.shown(threshold)
    request = replace(explanation.request, threshold=threshold)
    return replace(
        explanation, request=request, cut=cut, relevance=explanation.relevance.like(shown)
    )


def test_smooth_picture_is_the_whole_map_whatever_the_cut(overlay) -> None:
    explanation = explanation_of(head(), threshold=PATCHES)
    layer = overlay.show(explanation)
    whole = layer.data
    assert np.array_equal(whole, np.nan_to_num(explanation.scaled.voxels).transpose())
    assert overlay.caption.endswith("relevance ≥ 0.50\nwhen saved: patches from 0.50")
    overlay.set_cut(0.7)
    assert overlay.caption.endswith("relevance ≥ 0.70\nwhen saved: patches from 0.50")
    overlay.recut(recut(explanation, Threshold("value", 0.7, "patches")))
    assert overlay.caption.endswith("relevance ≥ 0.70\nwhen saved: patches from 0.70")
    overlay.recut(recut(explanation, Threshold("value", 0.7, "voxels")))
    assert overlay.caption.endswith("relevance ≥ 0.70")
    assert layer.data is whole
    assert layer.metadata["g3dvit"]["request"]["threshold"]["stage"] == "voxels"


@pytest.mark.parametrize("signed", [False, True])
def test_saved_picture_is_the_saved_map(overlay, signed) -> None:
    explanation = explanation_of(head(), two_sides, signed=signed, threshold=PATCHES)
    whole = overlay.show(explanation)
    overlay.set_resolution("saved")
    layer = overlay.layer
    drawn, colors, words = layer.data, layer.colormap, overlay.caption
    assert np.array_equal(drawn, np.nan_to_num(explanation.relevance.data).transpose())
    assert not np.array_equal(drawn, whole.data)
    assert layer.metadata["g3dvit"]["role"] == "saved"
    assert layer.name == "lesion | G3D-ViT | as saved"
    assert (layer.visible, whole.visible) == (True, False)
    assert words.endswith("as saved: patches from 0.50")
    overlay.set_cut(0.7)  # the slider moves: what is drawn, and said, stays true
    assert (layer.data is drawn, layer.colormap, overlay.caption) == (True, colors, words)
    settled = recut(explanation, Threshold("value", 0.7, "patches"))
    overlay.recut(settled)
    assert np.array_equal(layer.data, np.nan_to_num(settled.relevance.data).transpose())
    assert overlay.caption.endswith("as saved: patches from 0.70")
    overlay.set_resolution("smooth")
    assert "relevance" in overlay.caption.splitlines()[-2]


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        (Threshold("keep", 2.5, "patches"), "top 2.5 % of patches"),
        (Threshold("mass", 80.0, "patches"), "patches holding 80 %"),
        (Threshold("otsu", 0.0, "patches"), "Otsu's cut on patches"),
        (Threshold("absolute", 0.25, "patches"), "patches from 0.25, raw"),
        (Threshold("none", 0.0, "patches"), "uncut"),
    ],
)
def test_every_cut_has_its_words(overlay, threshold, words) -> None:
    overlay.set_resolution("saved")
    overlay.show(explanation_of(head(), threshold=threshold))
    assert overlay.caption.endswith(f"as saved: {words}")


def test_caption_says_class_probability_and_what_is_wrong(overlay) -> None:
    overlay.show(explanation_of(head()))
    assert overlay.caption.startswith("lesion\np = 95.0 %, predicted\nG3D-ViT\n")
    overlay.show(explanation_of(head(), status="zero", target=0))
    assert "healthy\np = 5.0 %\n" in overlay.caption
    assert "zero: The map is zero\neverywhere." in overlay.caption


def test_peak_of_an_empty_map_is_nowhere(overlay) -> None:
    layer = overlay.show(explanation_of(head()))
    layer.data = np.zeros_like(layer.data)
    assert overlay.jump_to_peak() is None


def test_view_switch_suits_the_layers_and_returns(viewer, anatomy, overlay) -> None:
    overlay.show(explanation_of(head()))
    overlay.jump_to_peak()
    anatomy.opacity, point, order = 0.9, viewer.dims.point, viewer.dims.order
    overlay.set_view("volume")
    assert (str(anatomy.rendering), anatomy.opacity) == ("attenuated_mip", 0.75)
    assert str(overlay.layer.blending) == "translucent_no_depth"
    viewer.scene.camera.zoom = 7.5
    overlay.set_view("slices")
    assert (anatomy.opacity, viewer.dims.ndisplay) == (0.9, 2)
    assert (viewer.dims.point, viewer.dims.order) == (point, order)
    viewer.dims.ndisplay = 3  # napari's own button
    assert (anatomy.opacity, viewer.scene.camera.zoom) == (0.75, 7.5)


def test_close_leaves_nothing_but_the_layers(viewer, anatomy) -> None:
    camera, events = viewer.scene.camera, viewer.dims.events
    before = camera.orientation, set(viewer.canvas.overlays)
    watched = events.order, events.ndisplay, events.point, camera.events.angles, camera.events.zoom
    callbacks = [len(event.callbacks) for event in watched]
    overlay = Overlay(viewer, anatomy)
    layer = overlay.show(explanation_of(head()))
    overlay.close()
    assert (camera.orientation, set(viewer.canvas.overlays)) == before
    assert [len(event.callbacks) for event in watched] == callbacks
    assert not viewer.canvas.overlays["scale_bar"].visible
    assert layer in viewer.layers


def test_closed_overlay_is_forgotten(viewer, anatomy) -> None:
    overlay = Overlay(viewer, anatomy)
    overlay.show(explanation_of(head()))
    overlay.set_view("volume")
    overlay.close()
    watch = weakref.ref(overlay)
    del overlay
    gc.collect()
    assert watch() is None


def test_series_gets_a_still_overlay_in_place(viewer) -> None:
    from g3dvit_napari.plugin.picture.layers import series_layer_data

    volume = head()
    frames = np.stack([volume.data.transpose()] * 3)
    data, keywords = series_layer_data(frames, volume, 2.0)
    overlay = Overlay(viewer, viewer.add_image(data, **keywords))
    overlay.show(explanation_of(volume))
    sides = Sides(viewer)
    sides.turn("neurological")
    sides.write()
    viewer.dims.set_point(0, 4.0)
    overlay.jump_to_peak()
    assert viewer.dims.point[0] == 4.0
    assert sides.letters["left"] == "L"


@pytest.mark.parametrize(("patch", "times"), [((1, 1, 1), 1), ((2, 2, 2), 2), ((12, 12, 12), 6)])
def test_small_cells_are_not_blown_up(patch: tuple[int, int, int], times: int) -> None:
    explanation = explanation_of(head(), patch=patch)
    drawn, _ = maps.place_patches(
        maps.patch_map(explanation), explanation, grid_of(explanation.relevance)
    )
    assert drawn.shape == tuple(times * n for n in explanation.patch_map.shape)
    assert drawn.size <= 4 * explanation.relevance.data.size
