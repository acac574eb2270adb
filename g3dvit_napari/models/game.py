"""Regions of the image as players: present, or replaced by the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.models.estimate import error_figures
from g3dvit_napari.models.sampling import scores

if TYPE_CHECKING:
    from g3dvit_napari.models.forward import ForwardPass

MOST_PLAYERS = 200


class Game:
    """What the explained numbers are when some regions are present and the others are not.

    Regions that equal the baseline everywhere take no part: whatever the others do they change
    nothing, so their Shapley value is zero.

    Parameters
    ----------
    regions
        The number of the region (f h w) that each voxel belongs to, from 0 on.
    baseline
        What stands where a region is absent (1 c f h w).
    """

    def __init__(
        self, run: ForwardPass, regions: Tensor, baseline: Tensor, targets: Sequence[int]
    ) -> None:
        self._run, self._targets = run, targets
        self._image, self._baseline = run.image[0], baseline[0]
        regions = regions.to(self._image.device)
        self._regions = int(regions.max()) + 1
        matters = (self._image != self._baseline).any(0)
        self._numbers = torch.unique(regions[matters] if matters.any() else regions)
        # Voxels of other regions may go with any player: both images agree on them.
        self._player = torch.searchsorted(self._numbers, regions).clamp(max=self.players - 1)

    @property
    def players(self) -> int:
        """How many regions differ from the baseline."""
        return len(self._numbers)

    def worth(self, coalitions: Iterable[Tensor], count: int) -> Tensor:
        """Return the explained numbers (count k) with those present that are True in each (m)."""
        images = (
            torch.where(present.to(self._player.device)[self._player], self._image, self._baseline)
            for present in coalitions
        )
        return scores(self._run, images, count, self._targets)

    def of_regions(self, shares: Tensor) -> Tensor:
        """Return the players' shares (k m) as those of all regions (k r); zero elsewhere."""
        values = shares.new_zeros(len(shares), self._regions)
        values[:, self._numbers.cpu()] = shares
        return values


class Shares(NamedTuple):
    """What each player gets (k m), the size of the terms behind it, and its standard error."""

    values: Tensor
    magnitude: Tensor
    errors: Tensor


def shares_map(game: Game, shares: Shares, boxes: Cells) -> TokenMaps:
    """Return the shares of players that are boxes as one map per class."""
    values, magnitude = (
        game.of_regions(part).reshape(-1, *boxes.shape).numpy()
        for part in (shares.values, shares.magnitude)
    )
    return TokenMaps(values, magnitude, boxes, error_figures(shares.errors))
