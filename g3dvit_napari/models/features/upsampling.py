"""Maps of cells on the voxels of the network's input, by linear interpolation between centres."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells


class Upsampling:
    """Brings values on cells (... f h w) to voxels; beyond the outer centres they stay the same.

    For patches this is torch's trilinear interpolation with `align_corners=False`; other cells need
    not tile the input, so where their centres lie is taken from `Cells`.
    """

    def __init__(self, cells: Cells, image_size: Sequence[int]) -> None:
        axes = zip(cells.shape, cells.size, cells.first, image_size, strict=True)
        self._axes = [_weights(*axis) for axis in axes]

    def __call__(self, values: Tensor) -> Tensor:
        """Return the values on voxels."""
        f, h, w = (weights.to(values) for weights in self._axes)
        return torch.einsum("...fhw,xf,yh,zw->...xyz", values, f, h, w)


def _weights(cells: int, size: float, first: float, voxels: int) -> Tensor:
    """Return what each voxel takes of each cell (v n), along one axis."""
    place = ((torch.arange(voxels).double() - first) / size).clamp(0, cells - 1)
    return (1 - (place[:, None] - torch.arange(cells)).abs()).clamp(min=0)
