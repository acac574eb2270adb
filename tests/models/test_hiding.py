"""Hiding patches against images put together by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_vits import KINDS, build, pictures
from torch import nn

from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.sampling.hiding import Hiding


class Weighted(nn.Module):
    """Four logits that know every voxel."""

    def __init__(self, voxels: int) -> None:
        super().__init__()
        self.inner = nn.Linear(voxels, 4).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.inner(x.flatten(1)))


def foreign(size: tuple[int, int, int], family: Any = "module") -> ModelHandle:
    torch.manual_seed(0)
    network = NetworkSpec(family=family, image_size=size, patch=(4, 5, 3), channels=2, classes=4)
    voxels = 2 * size[0] * size[1] * size[2]
    spec, device = ModelSpec(network=network), torch.device("cpu")
    return ModelHandle(Weighted(voxels), spec, device, tuple("abcd"))


@pytest.mark.parametrize("kind", [*KINDS, "foreign"])
def test_scores_are_those_of_images_put_together_by_hand(kind: str) -> None:
    model = foreign((8, 10, 6)) if kind == "foreign" else build(kind)
    image, baseline = pictures(2).split(1)
    hiding = Hiding(model.forward(image), baseline)
    hidden = torch.rand(5, 2, 2, 2, generator=torch.Generator().manual_seed(0)) > 0.5
    found = hiding.scores(hidden, 5, (3, 0))
    for mask, scores in zip(hidden, found, strict=True):
        mixed = image.clone()
        for f, h, w in mask.nonzero().tolist():
            window = (slice(4 * f, 4 * f + 4), slice(5 * h, 5 * h + 5), slice(3 * w, 3 * w + 3))
            mixed[0, :, *window] = baseline[0, :, *window]
        wanted = model.logits(mixed)[0, [3, 0]]
        torch.testing.assert_close(scores, wanted, rtol=0, atol=1e-12)


def test_patches_that_equal_the_baseline_are_known() -> None:
    image = pictures(1)
    baseline = image.clone()
    baseline[0, 1, 7, 0, 5] += 1
    assert Hiding(build().forward(image), baseline).differs.nonzero().tolist() == [[1, 0, 1]]


def test_a_rest_that_the_network_sees_is_hidden_too() -> None:
    size = (9, 10, 6)
    model = foreign(size, "resnet_3d")
    image, baseline = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(1)).double()
    hiding = Hiding(model.forward(image[None]), baseline[None])
    assert hiding.differs.shape == (3, 2, 2)
    all_of_it = hiding.scores(torch.ones(1, 3, 2, 2, dtype=torch.bool), 1, (2,))
    torch.testing.assert_close(all_of_it, model.logits(baseline[None])[:, [2]], rtol=0, atol=1e-12)
