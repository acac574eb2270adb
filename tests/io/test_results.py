"""Explanations on disk: names, grids, sidecar, and nothing half-written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nifti_files import MakeNifti, random_data

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.result import explanation_of
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import (
    Explanation,
    ExplanationRequest,
    Prediction,
    Threshold,
    TokenMaps,
    Volume,
)
from g3dvit_napari.io.nifti import read_volume
from g3dvit_napari.io.results import class_labels, entities_of, result_names, save_explanation
from g3dvit_napari.io.sidecar import as_json

SPEC = ModelSpec(
    network=NetworkSpec(image_size=(15, 21, 9), patch=(5, 7, 3), classes=2),
    input=InputSpec(
        orientation="LAS", crop_start=(1, 2, -1), intensity="zscore", tensor_axes="zxy"
    ),
)
PROVENANCE = {
    "checkpoint": {"name": "net.pth", "sha256": "ab" * 32},
    "spec": SPEC.model_dump(mode="json"),
    "device": "cpu",
    "precision": "float32",
    "versions": {"g3dvit-napari": "0.1.0", "torch": "2.13"},
    "warnings": ("voxels are larger than in training",),
}
Explain = Callable[..., Explanation]


@pytest.fixture
def explain(make_nifti: MakeNifti) -> Explain:
    def make(name: str = "sub-01_task-rest_bold.nii.gz", **changes: Any) -> Explanation:
        volume = changes.pop("volume", None) or read_volume(make_nifti(name, sform_code=4))
        values = np.random.default_rng(5).normal(size=(3, 3, 3))
        return explanation_of(
            TokenMaps(values, np.abs(values)),
            Placement(volume, SPEC),
            ExplanationRequest("g3dvit", 1, {"pooling": "mean"}, Threshold("keep", 5.0, "patches")),
            Prediction((0.5, 1.5), (0.25, 0.75), changes.pop("class_names", ("CN", "AD"))),
            signed=False,
            seconds=0.5,
            provenance={**PROVENANCE, **changes},
        )

    return make


def sidecar_of(files: list[Path]) -> dict[str, Any]:
    def no_constants(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    content: dict[str, Any] = json.loads(files[-1].read_text("utf-8"), parse_constant=no_constants)
    return content


def test_four_files_with_their_grids(explain: Explain, tmp_path: Path) -> None:
    explanation = explain()
    files = save_explanation(explanation, tmp_path / "deep" / "out")
    assert [p.name for p in files] == [
        "sub-01_task-rest_res-patch7x3x5_desc-g3dvitAD_statmap.nii.gz",
        "sub-01_task-rest_res-native_desc-g3dvitAD_statmap.nii.gz",
        "sub-01_task-rest_desc-fov_mask.nii.gz",
        "sub-01_task-rest_desc-g3dvitAD_statmap.json",
    ]
    assert sorted(p.name for p in files[0].parent.iterdir()) == sorted(p.name for p in files)
    source = nib.load(tmp_path / "sub-01_task-rest_bold.nii.gz")
    patches, native, seen = (nib.load(path) for path in files[:3])
    assert patches.shape == (3, 3, 3)
    np.testing.assert_array_equal(
        read_volume(files[0]).data, explanation.patch_map.data.astype("f4")
    )
    np.testing.assert_allclose(
        read_volume(files[0]).affine, explanation.patch_map.affine, atol=1e-5
    )
    for image, kind in ((native, np.float32), (seen, np.uint8)):
        assert image.shape == source.shape
        assert image.get_data_dtype() == kind
        np.testing.assert_array_equal(image.affine, source.affine)
    for image in (patches, native, seen):
        assert nib.aff2axcodes(image.affine) == nib.aff2axcodes(source.affine)
        assert (image.header["sform_code"], image.header["qform_code"]) == (4, 0)
    stored = np.asarray(native.dataobj)
    np.testing.assert_array_equal(stored[::-1], explanation.relevance.data)
    np.testing.assert_array_equal(np.asarray(seen.dataobj), np.isfinite(stored))


def test_the_hottest_patch_lies_where_its_voxels_are(explain: Explain, tmp_path: Path) -> None:
    """The centre of the strongest cell, by the affine of the file, is the top of what is shown."""
    files = save_explanation(explain(), tmp_path)
    patches, native = (nib.load(path) for path in files[:2])
    peak = np.unravel_index(np.argmax(np.asarray(patches.dataobj)), patches.shape)
    world = patches.affine @ [*peak, 1]
    at = np.rint(np.linalg.inv(native.affine) @ world)[:3].astype(int)
    assert np.asarray(native.dataobj)[tuple(at)] == np.nanmax(np.asarray(native.dataobj)) > 0


def test_the_sidecar_tells_how_to_repeat_it(explain: Explain, tmp_path: Path) -> None:
    explanation = explain()
    content = sidecar_of(save_explanation(explanation, tmp_path))
    own = content.pop("Explanation")
    assert content["Sources"] == ["sub-01_task-rest_bold.nii.gz"]
    assert content["SpatialReference"] == "orig"
    assert set(content["Resolution"]) == {"patch7x3x5", "native"}
    assert own["TargetClass"] == {"Index": 1, "Name": "AD", "Logit": 1.5, "Probability": 0.75}
    assert own["PredictedClass"]["Name"] == "AD"
    cut = pytest.approx(explanation.cut)
    assert own["Threshold"] == {"Kind": "keep", "Amount": 5.0, "Stage": "patches", "Cut": cut}
    assert (own["Method"], own["Parameters"]) == ("g3dvit", {"pooling": "mean"})
    assert (own["Status"], own["CellVoxels"]) == ("ok", [7, 3, 5])
    assert ModelSpec.model_validate(own["ModelInputSpec"]) == SPEC
    assert (own["CheckpointName"], own["CheckpointSHA256"]) == ("net.pth", "ab" * 32)
    source = explanation.relevance.source
    assert source is not None
    assert own["InputSHA256"] == source.sha256
    assert own["AffineSource"] == "sform"
    assert own["Warnings"] == [*source.warnings, "voxels are larger than in training"]
    assert own["SoftwareVersions"]["torch"] == "2.13"
    assert (own["Device"], own["Precision"], own["FramePolicy"]) == ("cpu", "float32", "3-D volume")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", own["CreatedAt"])


def test_no_folder_and_no_nan_gets_into_it(explain: Explain, tmp_path: Path) -> None:
    checkpoint = {"name": str(tmp_path / "net.pth"), "sha256": "x"}
    explanation = replace(
        explain(checkpoint=checkpoint, device=r"C:\Users\me\gpu"), cut=float("nan")
    )
    files = save_explanation(explanation, tmp_path)
    text = files[-1].read_text("utf-8")
    assert str(tmp_path) not in text
    assert "Users" not in text
    own = sidecar_of(files)["Explanation"]
    assert own["CheckpointName"] == "net.pth"
    assert own["Threshold"]["Cut"] is None
    assert as_json({"a": (np.float32(np.inf), np.int64(3), {1: np.arange(2)}, Path("/x/y"))}) == {
        "a": [None, 3, {"1": [0, 1]}, "y"]
    }


def test_one_frame_is_named(explain: Explain, make_nifti: MakeNifti) -> None:
    path = make_nifti("sub-02_bold.nii", data=random_data((19, 23, 17, 3)))
    names = result_names(explain(volume=read_volume(path, 2)))
    assert names[1] == "sub-02_res-native_desc-g3dvitADFrame2_statmap.nii.gz"
    assert result_names(explain(volume=read_volume(path)))[1].endswith(
        "desc-g3dvitAD_statmap.nii.gz"
    )


def test_a_volume_without_a_file(explain: Explain, tmp_path: Path) -> None:
    made = Volume(random_data().astype("f4"), np.diag([2.0, 2, 3, 1]), "my layer")
    files = save_explanation(explain(volume=made), tmp_path)
    assert files[0].name.startswith("my-layer_res-patch")
    assert sidecar_of(files)["Explanation"]["AffineSource"] == "array"
    assert (
        save_explanation(explain(volume=made), tmp_path, "own")[2].name
        == "own_desc-fov_mask.nii.gz"
    )
    with pytest.raises(VolumeError, match="must be a bare name"):
        save_explanation(explain(volume=made), tmp_path, "../own")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("sub-01_ses-2_task-rest_run-1_bold.nii.gz", "sub-01_ses-2_task-rest_run-1"),
        ("sub-01_space-MNI152NLin6Asym_res-2_desc-preproc_T1w.nii", "sub-01_space-MNI152NLin6Asym"),
        ("sub-01.nii.gz", "sub-01"),
        ("wau4D.nii", "wau4D"),
        ("brain_03.mgz", "brain_03"),
        ("T1.v2.nii.gz", "T1.v2"),
        (".nii.gz", "nii.gz"),
        ("../my brain.nii", "-my-brain"),
    ],
)
def test_what_names_keep(name: str, kept: str) -> None:
    assert entities_of(name) == kept


def test_class_labels_are_plain_and_different() -> None:
    assert class_labels(["AD vs CN", "old", "", "é", "A-1", "A1"]) == [
        "ADvsCN", "Old", "Class2", "Class3", "A14", "A15",
    ]  # fmt: skip


@pytest.mark.parametrize("fails_at", range(4))
def test_a_full_disk_leaves_nothing_behind(
    fails_at: int, explain: Explain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explanation, folder = explain(), tmp_path / "out"
    old = {p.name: p.read_bytes() for p in save_explanation(explanation, folder)}
    calls: list[int] = []

    def full(number: int) -> None:
        calls.append(number)
        if len(calls) > fails_at:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VolumeError, match="No space left on device"):
        save_explanation(explanation, folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == old


@pytest.mark.parametrize("fails_at", range(1, 4))
def test_the_sidecar_is_the_commit_mark(
    fails_at: int, explain: Explain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between two renames, the old sidecar does not vouch for a mixture."""
    explanation, renamed = explain(), []
    files = save_explanation(explanation, tmp_path / "out")
    move = Path.replace

    def stop(self: Path, target: Path) -> Path:
        renamed.append(target.name)
        if len(renamed) > fails_at:
            raise OSError(5, "Input/output error")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(VolumeError, match="Input/output error"):
        save_explanation(explanation, tmp_path / "out")
    assert renamed == [p.name for p in files[: fails_at + 1]]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in files[:3])


def test_a_folder_that_cannot_be_made(explain: Explain, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(VolumeError, match="cannot make the folder 'out'"):
        save_explanation(explain(), tmp_path / "file" / "out")
