"""Files beside the explained volume: stored in any order of axes, refused on another grid."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.regions import regions_of
from g3dvit_napari.core.spec import ModelSpec
from g3dvit_napari.io.nifti import read_volume
from g3dvit_napari.io.same_grid import SameGrid

CELLS = Cells.tiling((3, 4, 3), (4, 5, 5))


@pytest.fixture
def scan(tiny_files: Path) -> nib.Nifti1Image:
    return nib.load(tiny_files / "scan.nii.gz")


@pytest.fixture
def beside(tiny_files: Path, tiny_spec: ModelSpec) -> SameGrid:
    return SameGrid(Placement(read_volume(tiny_files / "scan.nii.gz"), tiny_spec))


def flipped(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """The same head, its array turned round along two axes and the affine with it."""
    return image.as_reoriented(np.array([[1, -1], [0, 1], [2, -1]]))


def test_an_image_is_prepared_as_the_volume_is(
    beside: SameGrid, scan: nib.Nifti1Image, tmp_path: Path
) -> None:
    flipped(scan).to_filename(tmp_path / "turned.nii.gz")
    assert nib.load(tmp_path / "turned.nii.gz").shape == (23, 19, 17)
    found = beside.image(str(tmp_path / "turned.nii.gz"))
    assert np.array_equal(found, beside.placement.to_tensor())


def test_the_orientation_is_that_of_the_explained_file_where_it_decides(
    beside: SameGrid, tiny_spec: ModelSpec, scan: nib.Nifti1Image, tmp_path: Path
) -> None:
    rules = tiny_spec.input.model_copy(update={"orientation": "stored"})
    spec = tiny_spec.model_copy(update={"input": rules})
    placement = Placement(beside.placement.volume, spec)
    flipped(scan).to_filename(tmp_path / "turned.nii.gz")
    found = SameGrid(placement).image(str(tmp_path / "turned.nii.gz"))
    assert np.array_equal(found, placement.to_tensor())


def test_labels_of_a_flipped_file_are_those_of_the_file(
    beside: SameGrid, scan: nib.Nifti1Image, tmp_path: Path
) -> None:
    names = np.random.default_rng(0).integers(0, 4, scan.shape).astype(np.uint8)
    labels = nib.Nifti1Image(names, scan.affine)
    labels.to_filename(tmp_path / "atlas.nii.gz")
    flipped(labels).to_filename(tmp_path / "turned.nii.gz")
    wanted = regions_of(read_volume(tmp_path / "atlas.nii.gz"), beside.placement, CELLS)
    found = beside.regions(str(tmp_path / "turned.nii.gz"), CELLS)
    assert np.array_equal(found.labels, wanted.labels)
    assert len(np.unique(found.labels)) > 2


def test_another_grid_is_refused_and_both_are_named(
    beside: SameGrid, scan: nib.Nifti1Image, tmp_path: Path
) -> None:
    smaller, moved = tmp_path / "smaller.nii.gz", tmp_path / "moved.nii.gz"
    scan.slicer[:-1].to_filename(smaller)
    nib.Nifti1Image(scan.get_fdata(), scan.affine + np.eye(4, k=3)).to_filename(moved)
    with pytest.raises(VolumeError, match=r"smaller has shape \(18, 23, 17\), scan has \(19, 23"):
        beside.image(str(smaller))
    with pytest.raises(VolumeError, match=r"moved and scan have affines .* 1 mm apart"):
        beside.regions(str(moved), CELLS)


def test_what_cannot_be_prepared_is_named(
    beside: SameGrid, scan: nib.Nifti1Image, tmp_path: Path
) -> None:
    nib.Nifti1Image(np.zeros(scan.shape), scan.affine).to_filename(tmp_path / "flat.nii.gz")
    with pytest.raises(VolumeError, match=r"flat: the volume is constant"):
        beside.image(str(tmp_path / "flat.nii.gz"))
    with pytest.raises(VolumeError, match=r"absent\.nii"):
        beside.image(str(tmp_path / "absent.nii.gz"))
