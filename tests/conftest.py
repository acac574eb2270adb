"""Shared by all: a tiny network and a tiny scan, odd in every way that could hide a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import Volume
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D

SHAPE = (19, 23, 17)
# Left-handed, oblique, anisotropic: the first axis runs to the left.
AFFINE = np.array(
    [[-2.0, 0.1, 0.0, 19.0], [0.1, 1.5, -0.2, -20.0], [0.0, 0.2, 3.0, -11.0], [0.0, 0.0, 0.0, 1.0]]
)


@pytest.fixture(scope="session", autouse=True)
def one_core() -> Iterator[None]:
    """Tiny networks lose more by sharing their work than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_spec() -> ModelSpec:
    network = NetworkSpec(
        family="vit_3d",
        image_size=(12, 20, 15),
        patch=(4, 5, 5),
        channels=1,
        classes=3,
        dim=24,
        depth=2,
        heads=3,
        dim_head=8,
        mlp_dim=32,
        pool="cls",
        patch_order="legacy",
        prefix_tokens=1,
    )
    rules = InputSpec(orientation="LAS", intensity="zscore", tensor_axes="zyx", fit="crop-pad")
    return ModelSpec(name="tiny", network=network, input=rules, class_names=("AD", "CN", "MCI"))


@pytest.fixture
def tiny_network(tiny_spec: ModelSpec) -> ViT3D:
    """Layer norms away from one and zero, and a seed with which every class has a map."""
    network = ViT3D(tiny_spec.network, Layout())
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3, generator=generator)
    return network.eval()


@pytest.fixture
def tiny_model(tiny_network: ViT3D, tiny_spec: ModelSpec) -> ModelHandle:
    names = tiny_spec.class_names or ()
    return ModelHandle(tiny_network, tiny_spec, torch.device("cpu"), names)


@pytest.fixture
def tiny_volume() -> Volume:
    data = np.random.default_rng(1).normal(300.0, 80.0, SHAPE).astype(np.float32)
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = SHAPE[0] - 1  # in memory the first axis runs to the right
    return Volume(data, AFFINE @ flip, "tiny")


@pytest.fixture
def tiny_files(tmp_path: Path, tiny_network: ViT3D, tiny_spec: ModelSpec) -> Path:
    """A folder as a user has it: scan.nii.gz, series.nii.gz (4 frames), vit.pth, vit.spec.yaml."""
    values = np.random.default_rng(2).integers(0, 900, (*SHAPE, 4)).astype(np.int16)
    nib.Nifti1Image(values[..., 0], AFFINE).to_filename(tmp_path / "scan.nii.gz")
    nib.Nifti1Image(values, AFFINE).to_filename(tmp_path / "series.nii.gz")
    torch.save(tiny_network.state_dict(), tmp_path / "vit.pth")
    (tmp_path / "vit.spec.yaml").write_text(tiny_spec.to_yaml(), encoding="utf-8")
    return tmp_path
