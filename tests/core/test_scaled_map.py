"""Cuts that need to know the volume: in raw units, and by Otsu's rule inside the head."""

from __future__ import annotations

import numpy as np
import pytest

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.otsu import otsu
from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.threshold import limits_of, scaled
from g3dvit_napari.core.types import Threshold, Volume

SPEC = ModelSpec(
    network=NetworkSpec(image_size=(12, 12, 12), patch=(3, 3, 3)),
    input=InputSpec(orientation="RAS", intensity="none", tensor_axes="zyx", crop_start=(1, 2, 0)),
)
HEAD = np.s_[4:10, 5:14, 3:12]  # three patches are head: x 1-2, y 1-3, z 1-3


@pytest.fixture
def placement() -> Placement:
    data = np.zeros((15, 17, 13), dtype=np.float32)
    data[HEAD] = np.random.default_rng(0).normal(100, 5, data[HEAD].shape)
    return Placement(Volume(data, np.diag([2.0, 3, 4, 1])), SPEC)


def made(placement: Placement, raw: np.ndarray, *, signed: bool) -> ScaledMap:
    limits = limits_of(raw, signed=signed)
    return ScaledMap(placement, scaled(raw, signed=signed), signed, limits)


@pytest.mark.parametrize("signed", [True, False])
def test_an_absolute_cut_is_in_units_of_the_raw_map(placement: Placement, signed: bool) -> None:
    raw = np.random.default_rng(1).normal(0.02, 0.01, (4, 4, 4))
    found = made(placement, raw, signed=signed)
    shown, _ = found.shown(Threshold("absolute", 0.025, "patches"))
    wanted = np.abs(raw) >= 0.025 if signed else raw >= 0.025
    blocks = placement.to_native(wanted.astype(float), "nearest")
    assert np.array_equal(shown[blocks == 1] != 0, np.ones((blocks == 1).sum(), bool))
    assert found.cut(Threshold("absolute", raw.max(), "voxels")) == pytest.approx(1)


def test_a_map_without_a_range_has_no_absolute_cut(placement: Placement) -> None:
    assert (
        made(placement, np.zeros((4, 4, 4)), signed=False).cut(Threshold("absolute", 1.0)) is None
    )


def test_otsu_looks_at_patches_and_voxels_inside_the_head(placement: Placement) -> None:
    raw = np.random.default_rng(2).random((4, 4, 4)) * 0.01  # z y x
    raw[1:, 1:, 1:3] += np.where(np.arange(2) == 0, 0.5, 1.0)
    found = made(placement, raw, signed=False)
    inside = found.patches[1:, 1:, 1:3].ravel()
    cut = found.cut(Threshold("otsu", stage="patches"))
    assert cut == otsu(np.sort(inside))
    assert 0.5 < cut < 1
    assert found.cut(Threshold("otsu", stage="patches")) != otsu(found.patches.ravel())
    head = found.voxels[HEAD][np.isfinite(found.voxels[HEAD])]
    assert found.cut(Threshold("otsu", stage="voxels")) == pytest.approx(otsu(np.sort(head)))
