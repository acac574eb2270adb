"""Boxes of patches on grids that they do not tile."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.sampling.boxes import box_numbers, boxes_of, coarse_enough


class Pass:
    """As much of a pass as boxes look at."""

    def __init__(self, **network: Any) -> None:
        spec = ModelSpec(network=NetworkSpec(**network))
        self.model = type("Model", (), {"spec": spec})
        self.image = torch.zeros(1, 1, *spec.network.image_size)


def asked(family: str) -> Any:
    return Pass(family=family, image_size=(10, 13, 6), patch=(2, 4, 3))


@pytest.mark.parametrize(("family", "along"), [("vit_3d", 3), ("swin_3d", 4)])
def test_a_rest_that_fills_no_patch_counts_where_the_network_sees_it(
    family: str, along: int
) -> None:
    assert boxes_of(asked(family)) == Cells.tiling((5, along, 2), (2, 4, 3))
    assert boxes_of(asked(family), 2) == Cells.tiling((3, 2, 1), (4, 8, 6))


def test_every_voxel_has_its_box() -> None:
    run = asked("swin_3d")
    boxes = boxes_of(run, 2)
    numbers = box_numbers(run.image.shape[2:], boxes.size, boxes.shape)
    assert numbers.shape == (10, 13, 6)
    for f, h, w in [(0, 0, 0), (4, 7, 5), (9, 12, 0)]:
        assert numbers[f, h, w] == ((f // 4) * 2 + h // 8) * 1 + w // 6
    assert numbers.unique().tolist() == list(range(6))
    boxes = boxes_of(asked("vit_3d"))
    seen = box_numbers((10, 13, 6), boxes.size, boxes.shape)
    assert torch.equal(seen[:, 12], seen[:, 11])  # nobody looks there


def test_the_smallest_side_that_makes_few_enough() -> None:
    run = asked("vit_3d")  # 5, 3 and 2 patches
    assert [coarse_enough(run, most) for most in (30, 29, 6, 5, 2, 1)] == [1, 2, 2, 3, 3, 5]


def test_a_network_without_patches_is_cut_voxel_by_voxel() -> None:
    run: Any = Pass(family="module", image_size=(4, 5, 6))
    assert boxes_of(run) == Cells.voxels((4, 5, 6))
    assert boxes_of(run, 3) == Cells.tiling((2, 2, 2), (3, 3, 3))
