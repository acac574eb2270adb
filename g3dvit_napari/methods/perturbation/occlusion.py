"""Occlusion (Zeiler and Fergus, ECCV 2014), by windows of whole patches."""

from __future__ import annotations

from itertools import product
from math import gcd
from typing import Annotated

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.baselines import Baseline, baseline_of
from g3dvit_napari.models.sampling.boxes import boxes_of, coarse_enough
from g3dvit_napari.models.sampling.hiding import Hiding
from g3dvit_napari.models.sampling.sampling import explained

MOST_WINDOWS = 1000
Window = tuple[slice, ...]


@METHODS.register(
    "Occlusion",
    signed=True,
    cost="many passes",
    reference="Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014",
)
def occlusion(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    window: Annotated[int, {"min": 0, "max": 64}] = 0,
    stride: Annotated[int, {"min": 0, "max": 64}] = 0,
    baseline: Baseline = "background",
    baseline_file: str = "",
) -> TokenMaps:
    """Hide one window after the other and see how far the explained number drops.

    Window n gets r_n = s(x) - s(x with the window replaced by the baseline); where windows overlap,
    a place gets the mean of all windows that cover it. Windows consist of whole patches, so that
    no other token's content changes. Windows that equal the baseline already get zero without a
    pass. The sign has a meaning: hiding negative places speaks for the class.

    Parameters
    ----------
    window
        Patches along each side of a window; 0: as few as make at most 1000 windows.
    stride
        Patches from one window to the next; 0: a whole window, so that none overlap.
    baseline
        What a window is replaced by: the commonest value on the outer faces ("background"), "zero",
        the "mean" of the image, the image under a "blur" a tenth of its length wide, or another
        volume ("file").
    baseline_file
        For the baseline "file" only: a volume with the shape and affine of the explained one.
    """
    side = window or coarse_enough(run, MOST_WINDOWS)
    step = stride or side
    if step > side:
        raise MethodError(
            f"a stride of {step} patches leaves gaps between windows of {side}; "
            f"choose a stride of at most {side}"
        )
    unit = gcd(side, step)
    cells = boxes_of(run, unit)
    windows = _windows(cells, side // unit, step // unit)
    hiding = Hiding(run, baseline_of(run, baseline, baseline_file))
    masks = torch.stack([_hidden(window, unit, hiding.differs) for window in windows])
    matters = masks.flatten(1).any(1)
    whole = explained(run, run.logits, targets)
    left = whole.repeat(len(windows), 1)
    left[matters] = hiding.scores(masks[matters], int(matters.sum()), targets)
    values = _mean_over(windows, whole - left, cells)
    magnitude = _mean_over(windows, whole.abs() + left.abs(), cells)
    return TokenMaps(values.numpy(), magnitude.numpy(), cells)


def _windows(cells: Cells, side: int, step: int) -> list[Window]:
    """Return windows in cells; the last along an axis may reach beyond it, and is cut there."""
    along = [
        [slice(a, min(a + side, n)) for a in range(0, max(n - side, 0) + step, step)]
        for n in cells.shape
    ]
    return list(product(*along))


def _hidden(window: Window, unit: int, differs: Tensor) -> Tensor:
    """Return the patches (f h w) of a window whose hiding changes anything."""
    inside = torch.zeros_like(differs)
    inside[tuple(slice(unit * side.start, unit * side.stop) for side in window)] = True
    return inside & differs


def _mean_over(windows: list[Window], values: Tensor, cells: Cells) -> Tensor:
    """Return the mean (k f h w) of the values (n k) of all windows that cover a cell."""
    total = values.new_zeros(values.shape[1], *cells.shape)
    count = values.new_zeros(cells.shape)
    for window, value in zip(windows, values, strict=True):
        total[:, *window] += value[:, None, None, None]
        count[window] += 1
    return total / count
