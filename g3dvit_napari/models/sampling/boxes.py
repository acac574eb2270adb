"""The image cut into boxes of whole patches, which a method may hide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells

if TYPE_CHECKING:
    from g3dvit_napari.models.passes.forward import ForwardPass


def boxes_of(run: ForwardPass, side: int = 1) -> Cells:
    """Return boxes of `side` patches along each axis that tile what the network sees.

    A last row of fewer patches makes a smaller box. So does, where a network pads or slides, a
    rest that fills no patch.
    """
    network = run.model.spec.network
    patch = network.patch or (1, 1, 1)
    shape = network.token_grid if network.drops_rest and network.patch else None
    counts = shape or [-(-n // p) for n, p in zip(run.image.shape[2:], patch, strict=True)]
    return Cells.tiling([-(-n // side) for n in counts], [side * p for p in patch])


def coarse_enough(run: ForwardPass, most: int) -> int:
    """Return the smallest side, in patches, with which there are at most so many boxes."""
    side = 1
    while boxes_of(run, side).count > most:
        side += 1
    return side


def box_numbers(lengths: Sequence[int], sides: Sequence[float], counts: Sequence[int]) -> Tensor:
    """Return the number of the box that each place of a grid lies in, the last axis fastest.

    Places behind the last box, which the network never looks at, count to that one.
    """
    number = torch.zeros((), dtype=torch.long)
    for length, side, count in zip(lengths, sides, counts, strict=True):
        along = (torch.arange(length) // int(side)).clamp(max=count - 1)
        number = number[..., None] * count + along
    return number
