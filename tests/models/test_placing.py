"""Where cells lie in the image: against what each of them sees."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai_networks import SIZE, monai_resnet
from other_networks import OTHERS
from probed_networks import Odd, odd, probed
from torch import Tensor, nn

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.models.handle import ModelHandle


class Stem(nn.Module):
    """Kernels, strides, paddings and dilations that differ along every axis, nothing square."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([
            nn.Conv3d(1, 3, (3, 4, 5), stride=(2, 1, 3), padding=(1, 0, 2)),
            nn.MaxPool3d((3, 2, 2), stride=(1, 2, 1), padding=(1, 0, 0)),
            nn.Conv3d(3, 3, (2, 3, 1), padding="same", padding_mode="replicate"),
            nn.Conv3d(3, 4, 3, stride=(1, 2, 2), dilation=(1, 2, 1), padding=(0, 1, 1)),
            nn.AvgPool3d(2, stride=(2, 1, 1)),
        ])  # fmt: skip
        self.head = nn.Linear(4, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = image
        for part in self.parts:
            x = torch.relu_(part(x))
        x = x[:, :, 1::2, :, ::2]
        return self.head(x.mean((2, 3, 4)))


def fields(model: ModelHandle, cells: list[tuple[int, ...]]) -> list[list[list[int]]]:
    """Return, per site and axis, the voxels that one cell sees: those whose loss it notices."""
    size, seen = model.image_shape[2:], {}
    found: list[list[list[int]]] = [[[], [], []] for _ in cells]
    hooks = [
        model.network.get_submodule(site.name).register_forward_hook(
            lambda _m, _i, out, number=number: seen.update({number: out})
        )
        for number, site in enumerate(model.anatomy.sites)
    ]
    for axis in range(3):
        for place in range(size[axis]):
            image = torch.zeros(1, 1, *size).double()
            image.select(axis + 2, place).fill_(float("nan"))
            model.network(image)
            for number, cell in enumerate(cells):
                if seen[number][(0, slice(None), *cell)].isnan().any():
                    found[number][axis].append(place)
    for hook in hooks:
        hook.remove()
    return found


def check_places(model: ModelHandle, most: float) -> int:
    """Compare the places of cells with the middle of what they see, where no edge is in sight."""
    sites, size, checked = model.anatomy.sites, model.image_shape[2:], 0
    cells = [tuple(n // 2 for n in site.cells.shape) for site in sites]
    for site, cell, axes in zip(sites, cells, fields(model, cells), strict=True):
        for axis, voxels in enumerate(axes):
            if voxels[0] > 0 and voxels[-1] < size[axis] - 1:
                middle = (voxels[0] + voxels[-1]) / 2
                placed = site.cells.first[axis] + cell[axis] * site.cells.size[axis]
                assert abs(middle - placed) <= most, (site, axis)
                checked += 1
    return checked


def test_cells_of_feature_maps_lie_in_the_middle_of_what_they_see() -> None:
    stem = probed(Stem(), (24, 29, 38))
    assert stem.anatomy.remarks == ()
    # Padding "same" of an even kernel puts its cells half a step to one side.
    assert check_places(stem, 0.5) >= 10
    long = probed(OTHERS["resnet"]().network, (70, 3, 4))
    assert check_places(long, 0) == 3  # of three sites the first axis; the others are all edge


def test_feature_maps_inside_the_next_block_are_left_out() -> None:
    bottlenecks = probed(monai_resnet("bottleneck"), SIZE)
    names = [site.name for site in bottlenecks.anatomy.sites]
    assert names == ["act", "layer1", "layer2", "layer3", "layer4"]
    nets = pytest.importorskip("monai.networks.nets", reason="MONAI is not installed")
    dense = probed(nets.DenseNet121(3, 1, 3, block_config=(1, 2, 1)), (33, 40, 36))
    blocks = ["features.relu0", "features.denseblock1", "features.denseblock2", "features"]
    assert [site.name for site in dense.anatomy.sites] == blocks
    assert dense.anatomy.averaged.name == "class_layers.relu"
    assert dense.anatomy.averaged.cells == dense.anatomy.sites[-1].cells


def test_a_kernel_wider_than_the_step_between_tokens_is_measured() -> None:
    class Wide(Odd):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Sequential(
                nn.Conv3d(1, 8, 3, stride=(2, 2, 1), padding=1), nn.ReLU(),
                nn.Conv3d(8, 24, 3, stride=(2, 3, 3), padding=1),
            )  # fmt: skip

    model = probed(odd(Wide), (12, 23, 6), patch=(4, 6, 3))
    assert {site.cells for site in model.anatomy.sites} == {
        Cells((3, 4, 2), (4.0, 6.0, 3.0), (0.0, 0.0, 0.0))
    }
    assert [r for r in model.anatomy.remarks if "Softmax" not in r] == []


def test_a_norm_over_all_voxels_leaves_the_places_to_the_spec() -> None:
    class Normed(Odd):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Sequential(nn.InstanceNorm3d(1), self.patches)

    with pytest.raises(SpecError, match=r"write network\.patch"):
        _ = probed(odd(Normed)).anatomy
    found = probed(odd(Normed), patch=(4, 5, 3)).anatomy
    assert {site.cells for site in found.sites} == {Cells.tiling((3, 4, 2), (4, 5, 3))}
    assert "norms.0, norms.1 lie could not be confirmed" in found.remarks[0]


class Twisted(Odd):
    """Tokens in an order of their own."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image.transpose(2, 4).contiguous())


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"patch": (6, 5, 2)}, "correct network.patch"),
        ({"prefix_tokens": 4}, "no grid was found"),
        ({"norm": "nrom"}, "no module named 'nrom'"),
    ],
)
def test_a_spec_that_says_something_else_is_refused(known: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        _ = probed(odd(), **known).anatomy


def test_a_patch_of_another_number_of_cells_is_corrected_and_said() -> None:
    found = probed(odd(), patch=(2, 5, 3)).anatomy
    assert found.sites[0].cells.size == (4.0, 5.0, 3.0)
    assert "network.patch is [2, 5, 3]" in found.remarks[0]


def test_tokens_in_an_order_of_their_own_are_refused() -> None:
    with pytest.raises(SpecError, match="no grid was found"):
        _ = probed(odd(Twisted), (6, 20, 12)).anatomy
