"""Axis codes, affines and interpolation weights."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest

from g3dvit_napari.core import space
from g3dvit_napari.core.cells import Cells

ALL_CODES = [
    "".join(letters)
    for order in itertools.permutations(("RL", "AP", "SI"))
    for letters in itertools.product(*order)
]


@pytest.fixture
def ras_affine() -> np.ndarray:
    affine = nib.affines.from_matvec(np.diag([2.0, 1.5, 3.0]), [-17.0, 4.5, 30.0])
    turn = nib.eulerangles.euler2mat(0.1, -0.05, 0.08)
    return affine @ nib.affines.from_matvec(turn)


@pytest.mark.parametrize("codes", ALL_CODES)
def test_reorienting_keeps_every_voxel_in_its_place(codes: str, ras_affine: np.ndarray) -> None:
    array = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    turned = space.to_codes(array, codes)
    affine = space.affine_to_codes(ras_affine, array.shape, codes)
    assert "".join(nib.aff2axcodes(affine)) == codes
    assert space.closest_codes(affine) == codes
    index = np.array([1, 2, 3])
    found = np.argwhere(turned == array[tuple(index)])[0]
    np.testing.assert_allclose(
        nib.affines.apply_affine(affine, found), nib.affines.apply_affine(ras_affine, index)
    )
    assert np.array_equal(space.from_codes(turned, codes), array)
    back = space.affine_from_codes(affine, turned.shape, codes)
    np.testing.assert_allclose(back, ras_affine, atol=1e-12)


def test_the_grid_of_patches_has_the_half_cell_offset() -> None:
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (88, -106, -70)
    patches = Cells.tiling((10, 10, 10), (9, 9, 9))
    cells = affine @ space.step_affine(patches.first, patches.size)
    np.testing.assert_array_equal(cells[:3, 3], (80, -98, -62))
    np.testing.assert_array_equal(np.diag(cells)[:3], (-18, 18, 18))


def test_obliquity_is_the_tilt_in_degrees() -> None:
    tilt = nib.eulerangles.euler2mat(np.radians(7.3))
    assert space.obliquity_degrees(nib.affines.from_matvec(tilt * 2)) == pytest.approx(7.3)
    assert space.obliquity_degrees(np.diag([2.0, 3, 4, 1])) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("weights", [space.linear_weights, space.nearest_weights])
def test_weights_sum_to_one_and_clamp(weights: object) -> None:
    positions = np.array([-3.0, -0.4, 0.0, 0.3, 2.0, 9.0])
    matrix = weights(positions, 3)  # type: ignore[operator]
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert matrix[0].tolist() == [1, 0, 0]
    assert matrix[-1].tolist() == [0, 0, 1]


def test_area_weights_average_what_a_coarse_voxel_covers() -> None:
    matrix = space.area_weights(np.array([0.5, 2.5, 4.5]), 2.0, 6)
    np.testing.assert_allclose(matrix @ np.array([1.0, 3, 5, 7, 9, 11]), [2, 6, 10])


def test_separable_keeps_the_order_of_axes() -> None:
    array = np.random.default_rng(0).random((3, 4, 5))
    rng = np.random.default_rng(1)
    weights = [rng.random((n + 2, n)) for n in array.shape]
    expected = np.einsum("ax,by,cz,xyz->abc", *weights, array)
    np.testing.assert_allclose(space.separable(array, weights), expected)
