"""Parts of the image that take turns: blocks of patches, or the regions of an atlas."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.passes.asked import files_of
from g3dvit_napari.models.sampling.boxes import box_numbers, boxes_of, coarse_enough

if TYPE_CHECKING:
    from g3dvit_napari.models.passes.forward import ForwardPass

MOST_BLOCKS = 200


class Parts(NamedTuple):
    """The numbers of the parts, from 0; -1 where there is none.

    of_patches
        The part (f h w) that each patch is in, which it enters and leaves the image with.
    cells, of_cells
        The cells of the map, and the part (f h w) that each one shows.
    remarks
        What a user should know of how they were made.
    """

    of_patches: Tensor
    cells: Cells
    of_cells: Tensor
    remarks: tuple[str, ...] = ()


def parts_of(run: ForwardPass, group: int, regions: str) -> Parts:
    """Return the regions in a file if one is named, else blocks of `group` patches a side.

    Raises
    ------
    MethodError
        When both are asked for, or no region is where the network looks.
    """
    if not regions:
        return blocks_of(run, group or coarse_enough(run, MOST_BLOCKS))
    if group:
        raise MethodError(
            f"regions are given ({regions!r}), and blocks of {group} patches a side as well; "
            "leave one of the two out"
        )
    return _regions_of(run, regions)


def blocks_of(run: ForwardPass, side: int) -> Parts:
    """Return blocks of so many patches along each side, one cell of the map each."""
    blocks, patches = boxes_of(run, side), boxes_of(run)
    numbers = box_numbers(patches.shape, (side,) * 3, blocks.shape)
    return Parts(numbers, blocks, torch.arange(blocks.count).reshape(blocks.shape))


def _regions_of(run: ForwardPass, file: str) -> Parts:
    patches = boxes_of(run)
    labels, lost = files_of(run).regions(file, patches)
    found = torch.from_numpy(labels)
    names = torch.unique(found[found != 0])
    if not len(names):
        raise MethodError(
            f"{file}: no patch of the network lies in a region; "
            "give an image of labels that are not all 0 where the network looks"
        )
    numbers = torch.searchsorted(names, found).masked_fill(found == 0, -1)
    return Parts(numbers, patches, numbers, _remarks(lost))


def _remarks(lost: tuple[int, ...]) -> tuple[str, ...]:
    if not lost:
        return ()
    names = ", ".join(map(str, lost))
    return (f"regions without a patch that is mostly theirs take no part: {names}",)
