import hashlib
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.spec import read_spec
from g3dvit_napari.io import samples
from g3dvit_napari.io.nifti import read_volume

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", samples.NAMES)
def test_every_sample_is_there(name):
    assert samples.sample_path(name).is_file()


def test_a_typing_error_is_answered_with_the_nearest_name():
    with pytest.raises(VolumeError, match=re.escape("did you mean 'brain.nii.gz'")):
        samples.sample_path("brain.nii")


def test_a_missing_file_says_where_samples_come_from(monkeypatch, tmp_path):
    monkeypatch.setattr(samples, "sample_folders", lambda: (tmp_path,))
    with pytest.raises(VolumeError, match=r"sample_data/make\.py"):
        samples.sample_path("brain.nii.gz")


def test_the_package_comes_before_the_checkout(monkeypatch, tmp_path):
    folders = tmp_path / "package", tmp_path / "checkout"
    for folder in folders:
        folder.mkdir()
        (folder / "brain.nii.gz").write_bytes(b"")
    monkeypatch.setattr(samples, "sample_folders", lambda: folders)
    assert samples.sample_path("brain.nii.gz").parent == folders[0]


def test_together_they_are_small_and_carry_the_notice_of_the_template():
    folder = samples.sample_path("brain.nii.gz").parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8_000_000
    notice = (folder / "NOTICE.md").read_text("utf-8")
    assert "McConnell Brain Imaging Centre" in notice
    assert "copyright notice" in notice


@pytest.mark.parametrize("name", ["brain.nii.gz", "brain_lesion.nii.gz", "brain_series.nii.gz"])
def test_the_brain_is_stored_as_the_common_2_mm_grid(name):
    image = nib.load(samples.sample_path(name))
    assert image.shape[:3] == (91, 109, 91)
    assert nib.aff2axcodes(image.affine) == ("L", "A", "S")
    assert np.array_equal(image.affine[:3, 3], [90, -126, -72])
    assert image.get_data_dtype() == (np.uint8 if "lesion" in name else np.int16)


def test_the_lesion_is_dark_and_on_the_left_alone():
    volume = read_volume(samples.sample_path("brain.nii.gz"))
    lesion = read_volume(samples.sample_path("brain_lesion.nii.gz")).data > 0
    x = volume.affine[0, 3] + volume.affine[0, 0] * np.nonzero(lesion)[0]
    assert x.max() < 0  # world x grows to the right
    mirrored = lesion[::-1]
    assert volume.data[lesion].mean() < 0.75 * volume.data[mirrored].mean()


def test_the_series_is_the_same_subject():
    path = samples.sample_path("brain_series.nii.gz")
    image = nib.load(path)
    assert image.shape[3] > 1
    assert image.header.get_zooms()[3] == pytest.approx(2.0)
    brain = read_volume(samples.sample_path("brain.nii.gz")).data
    mean = read_volume(path, "mean").data
    assert np.corrcoef(brain.ravel(), mean.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("name", ["brain_vit", "brain_swin", "brain_resnet", "cubes_vit"])
def test_the_specs_leave_nothing_open(name):
    spec = read_spec(samples.sample_path(f"{name}.spec.yaml"))
    assert spec.missing == ()
    assert spec.class_names is not None
    assert spec.network.classes == len(spec.class_names)


def test_the_notes_on_the_samples_name_the_checkpoints_that_ship():
    notes = (ROOT / "docs" / "sample_data.md").read_text("utf-8")
    checkpoints = [name for name in samples.NAMES if name.endswith(".pth")]
    assert len(checkpoints) == 4
    for name in checkpoints:
        digest = hashlib.sha256(samples.sample_path(name).read_bytes()).hexdigest()
        assert digest[:12] in notes
