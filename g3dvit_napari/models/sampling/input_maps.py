"""Gradients at the input as maps of its voxels, or of its patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from einops import reduce
from torch import Tensor
from torch.nn import functional as F

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.models.sampling.boxes import boxes_of
from g3dvit_napari.models.sampling.sampling import explained, input_gradients

if TYPE_CHECKING:
    from g3dvit_napari.models.passes.forward import ForwardPass

TINY = 1e-12  # a difference of two scores below which nothing is divided by it


class VoxelMap(NamedTuple):
    """One value per class and voxel (k f h w), and the sum of the absolute terms behind it."""

    values: Tensor
    magnitude: Tensor


def gradient_size(run: ForwardPass, image: Tensor, targets: Sequence[int]) -> VoxelMap:
    """Return |∂s/∂x|, the largest over the channels."""
    sizes = input_gradients(run, image, targets).abs().amax(1)
    return VoxelMap(sizes, sizes)


def input_times_gradient(run: ForwardPass, image: Tensor, targets: Sequence[int]) -> VoxelMap:
    """Return x · ∂s/∂x, summed over the channels."""
    return on_the_way(run, image, targets, image)


class Path(NamedTuple):
    """The line from a baseline (1 c f h w) to an image, and at how many nodes it is looked at.

    `crowding` p puts them at α = t^p of Gauss and Legendre's t, that is, towards the baseline.
    """

    baseline: Tensor
    steps: int
    crowding: int = 1

    def nodes(self) -> Iterator[tuple[float, float]]:
        """Yield the place of each node between 0 and 1, and its weight."""
        places, weights = np.polynomial.legendre.leggauss(self.steps)
        for t, weight in zip((places + 1) / 2, weights / 2, strict=True):
            yield float(t**self.crowding), float(weight * self.crowding * t ** (self.crowding - 1))


def along_path(run: ForwardPass, image: Tensor, targets: Sequence[int], path: Path) -> VoxelMap:
    """Return (x - x') · ∫ ∂s/∂x along the line from x' to x."""
    difference = image - path.baseline
    values = magnitude = torch.zeros(())
    for place, weight in path.nodes():
        part = on_the_way(run, path.baseline + place * difference, targets, difference)
        values, magnitude = values + weight * part.values, magnitude + weight * part.magnitude
    return VoxelMap(values, magnitude)


def on_the_way(
    run: ForwardPass, image: Tensor, targets: Sequence[int], difference: Tensor
) -> VoxelMap:
    """Return the difference times ∂s/∂x at an image, summed over the channels."""
    terms = difference.cpu().double() * input_gradients(run, image, targets)
    return VoxelMap(terms.sum(1), terms.abs().sum(1))


def completeness(
    run: ForwardPass, values: Tensor, targets: Sequence[int], compared: Tensor
) -> tuple[dict[str, float], ...]:
    """Return how far the values (k ...) are from adding up to s(x) minus the scores compared (k).

    The relative error is a share of that difference.
    """
    score = explained(run, run.logits, targets)
    errors = values.flatten(1).sum(1) - (score - compared)
    relative = errors.abs() / (score - compared).abs().clamp(min=TINY)
    columns = zip(score, compared, errors, relative, strict=True)
    names = ("score", "score_baseline", "completeness_error", "completeness_error_relative")
    return tuple(dict(zip(names, map(float, column), strict=True)) for column in columns)


def voxel_maps(
    run: ForwardPass,
    found: VoxelMap,
    figures: tuple[Mapping[str, float], ...] = (),
    *,
    pooled: bool,
) -> TokenMaps:
    """Return one map per class: of voxels, or `pooled` the sums over the voxels of each patch."""
    if not pooled:
        cells = Cells.voxels(run.image.shape[2:])
        return TokenMaps(found.values.numpy(), found.magnitude.numpy(), cells, figures)
    cells = boxes_of(run)
    values, magnitude = (_per_cell(part, cells).numpy() for part in found)
    return TokenMaps(values, magnitude, cells, figures)


def _per_cell(voxels: Tensor, cells: Cells) -> Tensor:
    """Return the sums (k f h w) over the cells; a rest that no cell holds is left out."""
    sides = [int(size) for size in cells.size]
    whole = [count * side for count, side in zip(cells.shape, sides, strict=True)]
    lacking = [n - have for n, have in zip(whole, voxels.shape[1:], strict=True)]
    filled = F.pad(voxels, [amount for n in reversed(lacking) for amount in (0, n)])
    f, h, w = sides
    return reduce(filled, "k (f a) (h b) (w c) -> k f h w", "sum", a=f, b=h, c=w)
