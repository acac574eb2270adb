"""Cells on voxels: torch's own interpolation for patches, and cells that do not tile the input."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.models.features.upsampling import Upsampling


def test_patches_are_interpolated_as_torch_does() -> None:
    cells, size = Cells.tiling((3, 4, 2), (4, 5, 3)), (12, 20, 6)
    values = torch.randn(2, 3, 4, 2, generator=torch.Generator().manual_seed(0)).double()
    wanted = F.interpolate(values[None], size=size, mode="trilinear", align_corners=False)[0]
    torch.testing.assert_close(Upsampling(cells, size)(values), wanted, rtol=0, atol=1e-14)


def test_other_cells_lie_where_their_centres_are() -> None:
    cells = Cells((3, 2, 2), (4.0, 5.0, 2.5), (0.0, 1.0, 0.5))
    size = (10, 7, 5)
    values = np.random.default_rng(0).normal(size=cells.shape)
    found = Upsampling(cells, size)(torch.from_numpy(values)).numpy()
    centres = [f + s * np.arange(n) for n, s, f in zip(cells.shape, cells.size, cells.first,
                                                       strict=True)]  # fmt: skip
    for x in range(size[0]):
        for y in range(size[1]):
            for z in range(size[2]):
                lines = values
                for voxel, axis in zip((x, y, z), centres, strict=True):
                    lines = np.apply_along_axis(lambda v, p=voxel, c=axis: np.interp(p, c, v), 0,
                                                lines)  # fmt: skip
                assert abs(found[x, y, z] - lines) < 1e-14


def test_a_single_cell_fills_the_input() -> None:
    cells = Cells((1, 1, 1), (6.0, 6.0, 6.0), (2.5, 2.5, 2.5))
    assert (Upsampling(cells, (6, 6, 6))(torch.full((1, 1, 1), 3.0)) == 3).all()
