"""File → explain → cut again → files: the main job, through the public face alone."""

from __future__ import annotations

import json
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

import g3dvit_napari as g3d
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D


@pytest.fixture
def explanation(tiny_files: Path) -> g3d.Explanation:
    volume = g3d.load_volume(tiny_files / "scan.nii.gz")
    model = g3d.load_model(tiny_files / "vit.pth")
    return g3d.explain(volume, model, target="MCI", keep=10)


def test_the_map_comes_back_on_the_scan(
    tiny_files: Path, explanation: g3d.Explanation, tmp_path: Path
) -> None:
    files = g3d.save(explanation, tmp_path / "out")
    scan = nib.load(tiny_files / "scan.nii.gz")
    maps = [nib.load(f) for f in files if f.name.endswith(".nii.gz")]
    native = [m for m in maps if m.shape == scan.shape]
    assert len(maps) == 3
    assert len(native) == 2  # relevance and field of view; the third is the patch grid
    for image in native:
        np.testing.assert_allclose(image.affine, scan.affine, atol=1e-5)
        assert image.header["sform_code"] == scan.header["sform_code"]
    (patches,) = [m for m in maps if m.shape != scan.shape]
    # The network's grid is 15 x 20 x 12 in the middle of 19 x 23 x 17; its patches are 5 x 5 x 4.
    centre_of_first_patch = nib.affines.apply_affine(scan.affine, [2 + 2, 1 + 2, 2 + 1.5])
    np.testing.assert_allclose(patches.affine[:3, 3], centre_of_first_patch, atol=1e-4)
    sidecar = json.loads(files[-1].read_text())
    text = json.dumps(sidecar)
    assert str(tmp_path) not in text
    assert str(tiny_files) not in text
    assert sidecar["Explanation"]["TargetClass"]["Name"] == "MCI"


def test_relevance_is_nan_exactly_where_the_network_never_looked(
    explanation: g3d.Explanation,
) -> None:
    seen = explanation.field_of_view.data > 0
    assert np.array_equal(np.isfinite(explanation.relevance.data), seen)
    assert seen.sum() == 15 * 20 * 12


def test_cutting_again_equals_explaining_again_and_is_quick(
    tiny_files: Path, explanation: g3d.Explanation
) -> None:
    volume = g3d.load_volume(tiny_files / "scan.nii.gz")
    model = g3d.load_model(tiny_files / "vit.pth")
    for threshold in (
        g3d.Threshold("keep", 3.0, "voxels"),
        g3d.Threshold("otsu", stage="patches"),
        g3d.Threshold("value", 0.4, "voxels"),
        g3d.Threshold("none"),
    ):
        again = g3d.rethreshold(explanation, threshold)
        fresh = g3d.explain(volume, model, target="MCI", threshold=threshold)
        np.testing.assert_array_equal(again.relevance.data, fresh.relevance.data)
        assert again.cut == fresh.cut
        assert again.request == fresh.request


def test_threshold_on_a_full_size_volume_takes_under_20_ms(big: g3d.Explanation) -> None:
    times = []
    for amount in (1, 2, 5, 10, 20, 3, 4):
        for stage in ("patches", "voxels"):
            started = time.process_time()
            g3d.rethreshold(big, g3d.Threshold("keep", amount, stage))
            times.append(time.process_time() - started)
    assert np.median(times) < 0.020


@pytest.fixture
def big(tiny_spec: g3d.ModelSpec) -> g3d.Explanation:
    network = tiny_spec.network.model_copy(update={"image_size": (90, 90, 90), "patch": (9, 9, 9)})
    spec = tiny_spec.merged(network)
    torch.manual_seed(0)
    data = np.random.default_rng(0).random((91, 109, 91)).astype(np.float32)
    model = g3d.load_model(ViT3D(network, Layout()), spec=spec)
    explanation = g3d.explain(g3d.Volume(data, np.eye(4)), model, "hires_cam")
    g3d.rethreshold(explanation, g3d.Threshold())  # the first cut prepares what later ones reuse
    return explanation


def test_all_classes_equal_one_by_one(tiny_files: Path) -> None:
    volume = g3d.load_volume(tiny_files / "scan.nii.gz")
    model = g3d.load_model(tiny_files / "vit.pth")
    every = g3d.explain_classes(volume, model)
    assert [e.target_name for e in every] == ["AD", "CN", "MCI"]
    for number, together in enumerate(every):
        alone = g3d.explain(volume, model, target=number)
        largest = np.abs(alone.patch_map.data).max()
        np.testing.assert_allclose(
            together.patch_map.data, alone.patch_map.data, atol=1e-5 * largest
        )


def test_unknown_names_are_answered_with_the_nearest(tiny_files: Path) -> None:
    volume = g3d.load_volume(tiny_files / "scan.nii.gz")
    model = g3d.load_model(tiny_files / "vit.pth")
    with pytest.raises(MethodError, match="did you mean 'g3dvit'"):
        g3d.explain(volume, model, method="g3dvits")
    with pytest.raises(MethodError, match="did you mean 'MCI'"):
        g3d.explain(volume, model, target="MCl")
    with pytest.raises(MethodError, match="did you mean 'pooling'"):
        g3d.explain(volume, model, poolin="max")
    with pytest.raises(MethodError, match="class 3 does not exist"):
        g3d.explain(volume, model, target=3)


def test_a_cut_on_patches_does_no_work_on_voxels(big: g3d.Explanation) -> None:
    """Sorting a volume of voxels takes longer than everything else a map needs."""
    fresh = ScaledMap(big.scaled.placement, big.scaled.patches, big.scaled.signed)
    fresh.shown(g3d.Threshold("keep", 5.0, "patches"))
    assert not {"voxels", "_voxel_sizes"} & vars(fresh).keys()
    fresh.shown(g3d.Threshold("keep", 5.0, "voxels"))
    assert {"voxels", "_voxel_sizes"} <= vars(fresh).keys()


def test_an_answer_says_whether_the_network_ran_for_it(tiny_files: Path) -> None:
    volume = g3d.load_volume(tiny_files / "scan.nii.gz")
    model = g3d.load_model(tiny_files / "vit.pth")
    assert g3d.explain(volume, model).origin == "network"
    again = g3d.explain(volume, model, "libra_grad", target=0)
    assert again.origin == "kept pass"
    assert g3d.rethreshold(again, g3d.Threshold("none")).origin == "kept pass"
    other = volume.like(np.flip(volume.data))
    g3d.predict(other, model)
    assert g3d.explain(other, model).origin == "kept pass"
    assert g3d.explain(volume, model).origin == "network"
