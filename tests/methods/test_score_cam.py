"""Score-CAM feature by feature: mask, whole network, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_features import PLACES, convolutional, network_of, plain_features
from torch import Tensor
from torch.nn import functional as F

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle


def mask_of(values: np.ndarray, model: ModelHandle, kind: str, block: int) -> Tensor:
    """One feature (n) on voxels, from 0 to 1."""
    cells = model.site(block).cells
    grid = torch.from_numpy(values.copy()).reshape(1, 1, *cells.shape)
    if kind == "convolutional":  # first centre on the first voxel, then every 4, 5, 3
        axes = [torch.from_numpy(np.interp(np.arange(v), f + s * np.arange(n), np.arange(n)))
                for v, f, s, n in zip((12, 20, 9), cells.first, cells.size, cells.shape,
                                      strict=True)]  # fmt: skip
        places = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
        corners = 2 * places / (torch.tensor(cells.shape) - 1) - 1
        full = F.grid_sample(grid, corners.flip(-1)[None], align_corners=True)
    else:
        full = F.interpolate(grid, size=(12, 20, 9), mode="trilinear", align_corners=False)
    return ((full - full.min()) / (full.max() - full.min()))[0, 0]


def plain_map(
    model: ModelHandle, image: Tensor, kind: str, block: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The maps of all four classes (c n), and the weights (d c)."""
    a, _ = plain_features(model, image, block)
    chosen = sorted(range(a.shape[1]), key=lambda d: -np.var(a[:, d]))[:count]
    scores = []
    for d in chosen:
        masked = image * mask_of(a[:, d], model, kind, block)
        scores.append(model.network(masked)[0].detach().numpy())
    weights = np.exp(scores) / np.exp(scores).sum(0)
    return np.stack([sum(w * a[:, d] for w, d in zip(each, chosen, strict=True))
                     for each in weights.T]), weights  # fmt: skip


@pytest.mark.parametrize(("kind", "block"), PLACES)
@pytest.mark.parametrize("count", [6, 64])
def test_values_follow_the_formula(
    build: Any, image: Tensor, kind: str, block: int, count: int
) -> None:
    model = network_of(kind, build)
    wanted, weights = plain_map(model, image, kind, block, count)
    assert np.ptp(weights) > 1e-4  # the volume seen through another feature looks different
    run = model.forward(image)
    maps = METHODS["score_cam"].function(run, (3, 0, 1, 2), features=count, block=block)
    for row, target in enumerate((3, 0, 1, 2)):
        assert np.abs(wanted[target]).max() > 1e-2
        found = maps.values[row].ravel()
        np.testing.assert_allclose(found, wanted[target], rtol=0, atol=1e-11)
        assert (maps.magnitude[row].ravel() >= np.abs(found) - 1e-12).all()


def test_zero_stands_for_all_features(image: Tensor) -> None:
    run = convolutional().forward(image)
    every, seven = (METHODS["score_cam"].function(run, (1,), features=n).values for n in (0, 7))
    assert np.array_equal(every, seven)


def test_a_feature_that_is_the_same_everywhere_masks_all(image: Tensor) -> None:
    model = convolutional()
    with torch.no_grad():
        model.network.features[0].weight[2] = 0
        model.network.features[0].bias[2] = 1.0
    wanted = model.network(image * 0)[0, 1].item()
    heard: list[float] = []
    model.network.register_forward_hook(lambda _m, _i, out: heard.extend(out[:, 1].tolist()))
    maps = METHODS["score_cam"].function(model.forward(image), (1,))
    assert np.isfinite(maps.values).all()
    assert min(abs(value - wanted) for value in heard) < 1e-12
