"""What a person sees in a real window: the right side, the right cut, and no waiting."""

from __future__ import annotations

import time

import nibabel as nib
import numpy as np
import pytest
from made_heads import MARKER, blob, explanation_of, head
from napari.utils.io import imsave

from g3dvit_napari.core.types import Volume
from g3dvit_napari.io.nifti import read_volume
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.picture.overlay import Overlay
from g3dvit_napari.plugin.picture.sides import Sides

pytestmark = pytest.mark.window


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(760, 620)
    return viewer


def open_overlay(viewer, volume) -> Overlay:
    data, keywords = to_layer_data(volume)
    return Overlay(viewer, viewer.add_image(data, **keywords))


def photograph(viewer, path=None) -> np.ndarray:
    from qtpy.QtWidgets import QApplication

    for _ in range(3):
        QApplication.processEvents()
    picture = viewer.screenshot(canvas_only=True, flash=False)
    if path is not None:
        imsave(str(path), picture)
    return picture[..., :3].astype(float)


def warm_centre(picture: np.ndarray) -> np.ndarray:
    """Return where the warm colours are, as shares (down, right) of the canvas."""
    warm = picture[..., 0] - picture[..., 2] > 60
    warm[:, -130:] = False  # the colour bar
    assert warm.sum() > 50
    return np.argwhere(warm).mean(axis=0) / np.array(warm.shape)


@pytest.mark.parametrize("stored", ["LAS", "PSR"])
@pytest.mark.parametrize(("convention", "side"), [("neurological", -1), ("radiological", 1)])
def test_marker_is_on_its_side(window, screenshots, convention, side, stored) -> None:
    volume = head(stored)
    overlay = open_overlay(window, volume)
    overlay.show(explanation_of(volume))
    sides = Sides(window)
    sides.turn(convention)
    sides.write()
    overlay.jump_to_peak()
    window.reset_view()
    down, right = warm_centre(photograph(window, screenshots / f"slices_{convention}.png"))
    assert (right - 0.5) * side > 0.05
    assert down < 0.48  # the marker is in front, the front is at the top
    overlay.set_view("volume")
    # From the front, the patient's left is on the right whatever the convention.
    window.scene.camera.set_view_direction((0, -1, 0), (1, 0, 0))
    down, right = warm_centre(photograph(window, screenshots / f"volume_{convention}.png"))
    assert right > 0.55
    assert down < 0.48
    assert sides.letters["right"] == "L"


def test_file_with_permuted_axes_opens_in_slices(window, tmp_path) -> None:
    affine = np.array([[0, 0, 2.0, -20], [-2, 0, 0, 30], [0, 2, 0, -10], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(np.ones((19, 23, 17), np.float32), affine), tmp_path / "psr.nii")
    volume = read_volume(tmp_path / "psr.nii")
    raw = Volume(np.ones((19, 23, 17), np.float32), affine)  # nor may one made in memory
    for shown in (volume, raw):
        data, keywords = to_layer_data(shown)
        window.add_image(data, **keywords)
        for order in [(0, 1, 2), (1, 0, 2), (2, 0, 1)]:
            window.dims.order = order
            assert photograph(window)[..., :3].any()


@pytest.mark.parametrize(("view", "limit_ms"), [("slices", 10), ("volume", 20)])
def test_moving_the_cut_is_quick_and_uploads_nothing(window, view, limit_ms) -> None:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-90, -126, -72)
    volume = Volume(np.random.default_rng(0).random((91, 109, 91), np.float32), affine)
    overlay = open_overlay(window, volume)
    layer = overlay.show(explanation_of(volume, patch=(9, 9, 9)))
    overlay.set_view(view)
    uploads: list[object] = []
    layer.events.data.connect(uploads.append)
    layer.events.set_data.connect(uploads.append)
    times = []
    for cut in np.linspace(0.05, 0.95, 25):
        started = time.thread_time()  # our own work, however busy the machine is
        overlay.set_cut(float(cut))
        times.append(time.thread_time() - started)
    assert not uploads
    assert np.median(times) * 1000 < limit_ms


def test_cut_is_seen_on_the_canvas(window) -> None:
    volume = head()
    overlay = open_overlay(window, volume)
    overlay.show(explanation_of(volume))
    overlay.jump_to_peak()

    def warm() -> int:
        picture = photograph(window)[:, :-130]
        return int((picture[..., 0] - picture[..., 2] > 60).sum())

    areas = []
    for cut in (0.3, 0.6, 0.9):
        overlay.set_cut(cut)
        areas.append(warm())
    assert areas[0] > 1.3 * areas[1] > 1.3 * areas[2] > 0


def test_views_of_a_signed_map(window, screenshots) -> None:
    volume = head()
    overlay = open_overlay(window, volume)
    overlay.show(
        explanation_of(volume, lambda c: blob(c) - 0.9 * blob(c, MARKER * [-1, 1, 1]), signed=True)
    )
    overlay.jump_to_peak()
    for view in ("slices", "volume"):
        overlay.set_view(view)
        picture = photograph(window, screenshots / f"signed_{view}.png")[:, :-130]
        assert (picture[..., 0] - picture[..., 2] > 60).sum() > 50  # for the class
        assert (picture[..., 2] - picture[..., 0] > 60).sum() > 50  # against it


def test_switching_everything_and_closing_leaves_a_working_window(window, screenshots) -> None:
    volume = head(tilt_degrees=7)
    overlay = open_overlay(window, volume)
    overlay.show(explanation_of(volume))
    overlay.set_resolution("patches")
    photograph(window, screenshots / "patches_oblique.png")
    overlay.set_edge("faded")
    overlay.set_resolution("smooth")
    overlay.set_view("volume")
    photograph(window)
    overlay.close()
    plain = photograph(window)
    assert plain.any()
