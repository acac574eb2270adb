"""A baseline and an atlas from files, through the facade and the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import g3dvit_napari as g3d
from g3dvit_napari.cli import main
from g3dvit_napari.core.errors import MethodError, VolumeError
from g3dvit_napari.methods import METHODS

QUICK: dict[str, dict[str, Any]] = {
    "gradient_shap": {"samples": 3},
    "integrated_gradients": {"steps": 3},
    "kernel_shap": {"samples": 256, "group": 2},
    "occlusion": {"window": 2},
    "shapley_sampling": {"pairs": 2, "group": 2},
    "smooth_grad": {"of": "integrated_gradients", "samples": 2, "steps": 2},
}
WITH_FILE = [name for name in METHODS if "baseline" in (p.name for p in METHODS[name].parameters)]


@pytest.fixture
def folder(tiny_files: Path) -> Path:
    """Intensities as they are, so that a file of zeros is the baseline "zero"; and an atlas."""
    spec = tiny_files / "vit.spec.yaml"
    spec.write_text(spec.read_text("utf-8").replace("intensity: zscore", "intensity: none"))
    scan = nib.load(tiny_files / "scan.nii.gz")
    nib.Nifti1Image(np.zeros(scan.shape, np.uint8), scan.affine).to_filename(
        tiny_files / "zeros.nii.gz"
    )
    names = np.zeros(scan.shape, np.uint8)
    names[:7], names[7:12], names[12:, :10] = 2, 5, 9
    nib.Nifti1Image(names, scan.affine).to_filename(tiny_files / "atlas.nii.gz")
    return tiny_files


def explain(folder: Path, method: str, **parameters: Any) -> g3d.Explanation:
    volume, model = g3d.load_volume(folder / "scan.nii.gz"), g3d.load_model(folder / "vit.pth")
    return g3d.explain(volume, model, method, target=1, **QUICK.get(method, {}) | parameters)


def test_every_method_with_a_baseline_is_tried() -> None:
    assert set(WITH_FILE) == set(QUICK)


@pytest.mark.parametrize("method", WITH_FILE)
def test_a_file_of_zeros_is_zero(folder: Path, method: str) -> None:
    zeros = str(folder / "zeros.nii.gz")
    found = explain(folder, method, baseline="file", baseline_file=zeros)
    wanted = explain(folder, method, baseline="zero")
    other = explain(folder, method, baseline="blur")
    assert wanted.status == "ok"
    assert np.array_equal(found.patch_map.data, wanted.patch_map.data)
    assert not np.allclose(found.patch_map.data, other.patch_map.data)


def test_a_file_and_its_choice_go_together(folder: Path) -> None:
    with pytest.raises(MethodError, match="name it as baseline_file"):
        explain(folder, "occlusion", baseline="file")
    with pytest.raises(MethodError, match=r"baseline_file is 'x\.nii', but the baseline is \"mean"):
        explain(folder, "occlusion", baseline="mean", baseline_file="x.nii")
    with pytest.raises(VolumeError, match=r"x\.nii"):
        explain(folder, "occlusion", baseline="file", baseline_file="x.nii")


def test_another_shape_is_refused(folder: Path) -> None:
    nib.load(folder / "atlas.nii.gz").slicer[1:].to_filename(folder / "cut.nii.gz")
    for asked in ({"regions": ""}, {"baseline": "file", "baseline_file": ""}):
        options = {name: value or str(folder / "cut.nii.gz") for name, value in asked.items()}
        with pytest.raises(VolumeError, match=r"cut has shape \(18, 23, 17\), scan has \(19, 23"):
            explain(folder, "kernel_shap", group=0, **options)


def test_the_pass_that_is_kept_reads_for_the_volume_that_asks(folder: Path) -> None:
    """The same values on another grid share a pass, but not the grid of their files."""
    model, atlas = g3d.load_model(folder / "vit.pth"), str(folder / "atlas.nii.gz")
    volume = g3d.load_volume(folder / "scan.nii.gz")
    moved = g3d.Volume(volume.data, np.eye(4, k=3) + volume.affine, "moved")
    g3d.explain(volume, model, "kernel_shap", regions=atlas)
    with pytest.raises(VolumeError, match="atlas and moved have affines"):
        g3d.explain(moved, model, "kernel_shap", regions=atlas)


def test_the_shell_takes_both(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explain", folder / "scan.nii.gz", "--model", folder / "vit.pth", "--target", "1"]
    words += ["--method", "kernel_shap", "--regions", folder / "atlas.nii.gz", "--json"]
    words += ["--baseline", "file", "--baseline-file", folder / "zeros.nii.gz"]
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in [*words, "--out", folder / "out"]])
    said = json.loads(capsys.readouterr().out)
    assert stopped.value.code == 0
    files = said["results"][0]["files"]
    values = nib.load(next(f for f in files if "patch" in f)).get_fdata()
    assert len(np.unique(values.astype(np.float32))) == 4  # three regions, and none
    text = Path(next(f for f in files if f.endswith(".json"))).read_text("utf-8")
    parameters = json.loads(text)["Explanation"]["Parameters"]
    assert parameters["regions"] == "atlas.nii.gz"  # names, no folders
    assert parameters["baseline_file"] == "zeros.nii.gz"
    wanted = explain(folder, "kernel_shap", group=0, regions=str(folder / "atlas.nii.gz"),
                     baseline="zero").patch_map.data  # fmt: skip
    assert np.unique(values.astype(np.float32)) == pytest.approx(
        np.unique(wanted.astype(np.float32)), abs=1e-6
    )
