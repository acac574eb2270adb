"""The letters on the canvas name the sides that the camera really shows."""

from __future__ import annotations

import numpy as np
import pytest
from made_heads import head

from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.picture.orientation import CAMERA, SideLetters

PLANES = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}


@pytest.fixture
def letters(viewer):
    data, keywords = to_layer_data(head())
    viewer.add_image(data, **keywords)
    viewer.scene.camera.orientation = CAMERA["neurological"]
    return SideLetters(viewer)


@pytest.mark.parametrize(
    ("convention", "plane", "expected"),
    [
        ("neurological", "axial", "LRAP"),
        ("neurological", "coronal", "LRSI"),
        ("neurological", "sagittal", "PASI"),
        ("radiological", "axial", "RLAP"),
        ("radiological", "coronal", "RLSI"),
        ("radiological", "sagittal", "APSI"),
    ],
)
def test_letters_of_slices(letters, viewer, convention, plane, expected) -> None:
    viewer.scene.camera.orientation = CAMERA[convention]
    viewer.dims.order = PLANES[plane]
    assert "".join(letters.texts[e] for e in ("left", "right", "top", "bottom")) == expected
    assert tuple(map(str, viewer.scene.camera.orientation)) == CAMERA[convention]


def test_letters_of_a_volume_seen_from_the_front(letters, viewer) -> None:
    viewer.dims.ndisplay = 3
    for camera in CAMERA.values():  # whoever stands before you has the left hand on your right
        viewer.scene.camera.orientation = camera
        viewer.scene.camera.set_view_direction((0, -1, 0), (1, 0, 0))
        assert letters.texts == {"left": "R", "right": "L", "top": "S", "bottom": "I"}
        assert str(viewer.scene.camera.handedness) == "left"


def test_letters_admit_a_mirrored_camera(letters, viewer) -> None:
    viewer.dims.ndisplay = 3
    viewer.scene.camera.orientation = ("away", "up", "right")
    viewer.scene.camera.set_view_direction((0, -1, 0), (1, 0, 0))
    assert letters.texts["left"] == "L"


def test_letters_of_a_turned_volume_name_two_sides(letters, viewer) -> None:
    viewer.dims.ndisplay = 3
    viewer.scene.camera.set_view_direction((0, 1, 1), (1, 0, 0))
    assert set(letters.texts["right"]) == {"R", "P"}


def test_time_has_no_letter(letters, viewer) -> None:
    viewer.add_image(np.zeros((2, 3, 4, 5)))
    viewer.dims.order = (2, 3, 0, 1)
    assert set(letters.texts.values()) == {""}


def test_close_takes_the_letters_away(letters, viewer) -> None:
    before = set(viewer.canvas.overlays)
    letters.close()
    assert len(before - set(viewer.canvas.overlays)) == 4
    viewer.dims.order = PLANES["coronal"]
    assert letters.texts["top"] == "A"  # no longer follows
