"""A head that averages features over all cells and applies one linear layer: each cell's share."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from g3dvit_napari.core.cells import Cells


@dataclass(frozen=True, eq=False)
class LinearHead:
    """The features (n d) that are averaged, where their cells lie, and the layer's weight (c d).

    Prefix tokens that are averaged as well are left out.
    """

    features: Tensor
    weight: Tensor
    cells: Cells
