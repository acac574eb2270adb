"""Occlusion window by window, against captum, and the windows that need no pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from known_functions import handle, patches_of, picture
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.sampling.baselines import DERIVED, derived_baseline

occlusion = METHODS["occlusion"].function
PATCH, GRID = (4, 5, 3), (3, 4, 3)


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
@pytest.mark.parametrize("baseline", DERIVED)
def test_values_are_drops_patch_by_patch(
    build: Any, image: Tensor, kind: str, baseline: Any
) -> None:
    model, other = build(kind), derived_baseline(image, baseline)
    maps = occlusion(model.forward(image), (3, 0), baseline=baseline)
    assert maps.cells == Cells.tiling(GRID, PATCH)
    whole = model.logits(image)[0]
    for place in np.ndindex(*GRID):
        hidden = image.clone()
        window = tuple(slice(n * p, (n + 1) * p) for n, p in zip(place, PATCH, strict=True))
        hidden[0, :, *window] = other[0, :, *window]
        drop = whole - model.logits(hidden)[0]
        for row, target in enumerate((3, 0)):
            assert maps.values[row][place] == pytest.approx(float(drop[target]), abs=1e-12)
    assert maps.values.min() < -1e-3 < 1e-3 < maps.values.max()


@pytest.mark.parametrize(
    ("window", "stride", "shape"),
    [(1, 1, (3, 4, 3)), (2, 2, (2, 2, 2)), (2, 1, (3, 4, 3)), (3, 2, (3, 4, 3)), (3, 0, (1, 2, 1))],
)
def test_captum_agrees(
    build: Any, image: Tensor, window: int, stride: int, shape: tuple[int, int, int]
) -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the reference")
    model, step = build("mean"), stride or window
    maps = occlusion(model.forward(image), (1,), window=window, stride=stride)
    found = (
        captum.Occlusion(model.network)
        .attribute(
            image,
            sliding_window_shapes=(2, *(window * p for p in PATCH)),
            strides=(2, *(step * p for p in PATCH)),
            baselines=derived_baseline(image, "background"),
            target=1,
        )[0, 0]
        .numpy()
    )
    assert maps.values.shape[1:] == shape == maps.cells.shape
    for place in np.ndindex(*shape):
        first = tuple(int(n * size) for n, size in zip(place, maps.cells.size, strict=True))
        assert maps.values[0][place] == pytest.approx(found[first], abs=1e-6)


def test_windows_of_background_need_no_pass_and_get_nothing() -> None:
    def sums(image: Tensor) -> Tensor:
        return torch.stack([image.flatten(1).sum(1), patches_of(image).prod(1)], 1)

    model, x = handle(sums, (8, 8, 4)), torch.full((1, 1, 8, 8, 4), 7.0, dtype=torch.float64)
    x[0, 0, 2:4, 2:4, 0:2] = picture((2, 2, 2))
    x[0, 0, 4:6, 2, 2] = 1.0
    run = model.forward(x)
    model.network.seen = 0
    maps = occlusion(run, (0,))
    assert model.network.seen == 2
    assert np.count_nonzero(maps.values) == 2
    patch = x[0, 0, 2:4, 2:4, 0:2]
    assert maps.values[0, 1, 1, 0] == pytest.approx(float(patch.sum() - 8 * 7))
    assert maps.values[0, 2, 1, 1] == pytest.approx(-12)


def test_an_image_of_background_needs_no_pass_at_all() -> None:
    model = handle(lambda image: image.flatten(1)[:, :2])
    run = model.forward(torch.ones_like(picture()))
    model.network.seen = 0
    assert not occlusion(run, (0, 1)).values.any()
    assert model.network.seen == 0


def test_large_grids_get_larger_windows(monkeypatch: Any) -> None:
    run = handle(lambda image: image.flatten(1)[:, :2], (8, 8, 4)).forward(picture((8, 8, 4)))
    assert occlusion(run, (0,)).values.shape == (1, 4, 4, 2)
    monkeypatch.setattr("g3dvit_napari.methods.perturbation.occlusion.MOST_WINDOWS", 31)
    assert occlusion(run, (0,)).values.shape == (1, 2, 2, 1)


def test_gaps_between_windows_are_refused(build: Any, image: Tensor) -> None:
    with pytest.raises(MethodError, match="a stride of 3 patches leaves gaps"):
        occlusion(build().forward(image), (0,), window=2, stride=3)
