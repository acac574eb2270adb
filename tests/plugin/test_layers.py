"""A volume lands in napari's world where the scanner says, and comes back unchanged."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from made_heads import MARKER, blob, head, world_of
from napari.layers import Image, Points

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import Volume
from g3dvit_napari.io.nifti import read_volume
from g3dvit_napari.plugin.picture import layers

STORED = ["RAS", "LAS", "LPI", "PSR", "AIL", "SLP"]


def layer_of(volume: Volume) -> Image:
    data, keywords = layers.to_layer_data(volume)
    return Image(data, **keywords)


def marked(stored: str = "RAS", tilt: float = 0.0) -> Volume:
    volume = head(stored, tilt)
    return volume.like(blob(world_of(volume)).astype(np.float32))


def brightest(layer: Image) -> np.ndarray:
    """Return where napari draws the brightest voxel, as (x, y, z)."""
    index = np.unravel_index(np.argmax(layer.data), layer.data.shape)
    return np.array(layer.data_to_world(tuple(map(float, index))))[::-1]


@pytest.mark.parametrize("stored", STORED)
def test_left_marker_lies_left_however_the_file_is_stored(stored: str, tmp_path) -> None:
    volume = marked(stored)
    axes = nib.orientations.axcodes2ornt(stored)
    image = nib.Nifti1Image(volume.data, volume.affine)
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), axes)
    nib.save(image.as_reoriented(turn), tmp_path / "marker.nii")
    layer = layer_of(read_volume(tmp_path / "marker.nii"))
    assert np.abs(brightest(layer) - MARKER).max() <= 2.3  # half a voxel of 4.5 mm


@pytest.mark.parametrize("stored", STORED)
def test_array_in_any_axis_order_is_drawn_in_place(stored: str) -> None:
    from g3dvit_napari.core import space

    volume = marked()
    turned = Volume(
        space.to_codes(volume.data, stored),
        space.affine_to_codes(volume.affine, volume.shape, stored),
    )
    layer = layer_of(turned)
    assert np.abs(brightest(layer) - MARKER).max() <= 2.3
    assert (np.array(layer.scale) > 0).all()
    assert np.array_equal(layers.volume_of(layer).data, volume.data)


def test_oblique_volume_is_drawn_along_its_own_axes_and_says_so() -> None:
    layer = layer_of(marked(tilt=12.5))
    assert "oblique 12.5°, grid view" in layer.name
    assert np.allclose(layer.affine.affine_matrix, np.eye(4))
    assert brightest(layer)[0] < -10
    back = layers.volume_of(layer)
    assert np.allclose(back.affine, head(tilt_degrees=12.5).affine)
    assert back.source is not None


def test_negligible_tilt_is_not_mentioned() -> None:
    assert "oblique" not in layer_of(marked(tilt=0.04)).name


def test_world_axes_units_and_labels() -> None:
    layer = layer_of(head())
    assert layer.axis_labels == ("z", "y", "x")
    assert {str(unit) for unit in layer.units} == {"millimeter"}
    assert tuple(layer.scale) == pytest.approx((4.5, 3.5, 4.0))
    assert layer.contrast_limits[1] > np.percentile(layer.data, 99)


def test_series_has_time_in_front() -> None:
    volume = head()
    frames = np.stack([volume.data.transpose() + n for n in range(3)])
    data, keywords = layers.series_layer_data(frames, volume, 2.5)
    layer = Image(data, **keywords)
    assert layer.axis_labels == ("t", "z", "y", "x")
    assert layer.scale[0] == 2.5
    assert np.allclose(layers.volume_of(layer, 2).data, volume.data + 2)
    assert np.allclose(layers.volume_of(layer).data, volume.data + 1)
    assert np.allclose(layers.volume_of(layer).affine, volume.affine)
    with pytest.raises(VolumeError, match="choose 0 to 2"):
        layers.volume_of(layer, 3)


def test_volume_of_foreign_layer_composes_all_its_transforms() -> None:
    layer = Image(
        np.random.default_rng(0).random((5, 7, 9)),
        scale=(2, 3, 4),
        translate=(10, 20, 30),
        rotate=15,
        shear=(0.1, 0, 0),
        affine=nib.affines.from_matvec(np.diag([1.0, -1.0, 1.0]), [1, 2, 3]),
    )
    volume = layers.volume_of(layer)
    for index in [(0, 0, 0), (4, 6, 8), (1, 5, 2)]:
        drawn = np.array(layer.data_to_world(index))[::-1]
        place = np.linalg.inv(volume.affine) @ [*drawn, 1]
        found = volume.data[tuple(np.rint(place[:3]).astype(int))]
        assert found == layer.data[index]


def test_units_of_foreign_layers_become_millimetres() -> None:
    layer = Image(np.zeros((3, 4, 5)), scale=(2000, 1000, 500), units=("um", "um", "um"))
    assert layers.volume_of(layer).spacing_mm == pytest.approx([0.5, 1, 2])


def test_layer_that_the_user_moved_is_where_it_was_moved_to() -> None:
    layer = layer_of(head())
    layer.translate = np.add(layer.translate, [0, 0, 8])
    assert layers.volume_of(layer).affine[0, 3] == pytest.approx(head().affine[0, 3] + 8)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Points(np.zeros((2, 3)), name="dots"), "not a grey image"),
        (Image(np.zeros((4, 5, 6, 3)), rgb=True, name="photo"), "in colour"),
        (Image(np.zeros((4, 5)), name="flat"), "has 2 dimensions"),
    ],
)
def test_layers_that_are_no_volume(layer: object, words: str) -> None:
    with pytest.raises(VolumeError, match=words):
        layers.volume_of(layer)
