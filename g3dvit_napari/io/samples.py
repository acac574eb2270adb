"""The sample data that ship with the package: where each file is."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from g3dvit_napari.core.errors import VolumeError, unknown_name

NAMES = (
    "brain.nii.gz",
    "brain_lesion.nii.gz",
    "brain_resnet.pth",
    "brain_resnet.spec.yaml",
    "brain_series.nii.gz",
    "brain_swin.pth",
    "brain_swin.spec.yaml",
    "brain_vit.pth",
    "brain_vit.spec.yaml",
    "cubes_1.nii.gz",
    "cubes_1_truth.nii.gz",
    "cubes_2.nii.gz",
    "cubes_2_truth.nii.gz",
    "cubes_3.nii.gz",
    "cubes_3_truth.nii.gz",
    "cubes_vit.pth",
    "cubes_vit.spec.yaml",
)


def sample_path(name: str) -> Path:
    """Return the path of a sample file.

    A wheel carries the files inside the package; an editable install takes them from the checkout.

    Raises
    ------
    VolumeError
        When there is no sample of that name, or the files were left out of this installation.
    """
    if name not in NAMES:
        raise VolumeError(unknown_name("sample file", name, NAMES))
    for folder in sample_folders():
        if (path := folder / name).is_file():
            return path
    raise VolumeError(
        f"the sample file {name} is missing from this installation; "
        "install the package from a wheel, or run sample_data/make.py in a checkout"
    )


def sample_folders() -> tuple[Path, ...]:
    """Return where samples may lie: in the package (wheel), then in the checkout (editable)."""
    package = Path(str(files("g3dvit_napari")))
    return package / "sample_data", package.parent / "sample_data" / "files"
