"""A head that averages features over all cells and applies one linear layer: each cell's share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.passes.cut import Cut, pulled
from g3dvit_napari.models.probing.anatomy import Anatomy


@dataclass(frozen=True, eq=False)
class LinearHead:
    """The features (n d) that are averaged, where their cells lie, and the layer's weight (c d).

    Prefix tokens that are averaged as well are left out.
    """

    features: Tensor
    weight: Tensor
    cells: Cells


def head_of(cut: Cut, anatomy: Anatomy) -> LinearHead:
    """Return the head of any network that was found to have a linear one, from a run of it."""
    site, averaged = anatomy.averaged, cut.averaged
    if site is None or averaged is None:
        raise MethodError("this network has no linear head; choose another method")
    count = site.tokens if anatomy.pool == "mean" else site.cells.count
    rows = []
    for start in torch.eye(len(cut.logits)).to(cut.logits):
        (gradient,) = pulled(cut.logits, [averaged], start)
        # The same for every cell: its weight, divided by the number of all that are averaged.
        rows.append(count * site.flat(gradient)[0, site.prefix :].mean(0))
    features = site.flat(averaged.detach())[0, site.prefix :]
    return LinearHead(features, torch.stack(rows), site.cells)
