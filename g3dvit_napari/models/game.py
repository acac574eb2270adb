"""Boxes of the image as players: present, or replaced by the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.models.boxes import box_numbers, boxes_of, coarse_enough
from g3dvit_napari.models.estimate import error_figures
from g3dvit_napari.models.hiding import Hiding

if TYPE_CHECKING:
    from g3dvit_napari.models.forward import ForwardPass

MOST_PLAYERS = 200


class Shares(NamedTuple):
    """What each player gets (k m), the size of the terms behind it, and its standard error."""

    values: Tensor
    magnitude: Tensor
    errors: Tensor


class Game:
    """What the explained numbers are when some boxes are present and the others are not.

    Boxes that equal the baseline everywhere take no part: whatever the others do they change
    nothing, so their Shapley value is zero.

    Parameters
    ----------
    side
        Patches along each side of a box; 0: as few as make at most 200 boxes.
    baseline
        What stands where a box is absent (1 c f h w).
    """

    def __init__(
        self, run: ForwardPass, side: int, baseline: Tensor, targets: Sequence[int]
    ) -> None:
        side = side or coarse_enough(run, MOST_PLAYERS)
        self._hiding, self._targets = Hiding(run, baseline), targets
        self.boxes, differs = boxes_of(run, side), self._hiding.differs
        numbers = box_numbers(differs.shape, (side,) * 3, self.boxes.shape)
        self._numbers = torch.unique(numbers[differs] if differs.any() else numbers)
        # Patches of other boxes may go with any player: both images agree on them.
        self._player = torch.searchsorted(self._numbers, numbers).clamp(max=self.players - 1)

    @property
    def players(self) -> int:
        """How many boxes differ from the baseline."""
        return len(self._numbers)

    def worth(self, coalitions: Iterable[Tensor], count: int) -> Tensor:
        """Return the explained numbers (count k) with those present that are True in each (m)."""
        hidden = (~present[self._player] for present in coalitions)
        return self._hiding.scores(hidden, count, self._targets)

    def maps(self, shares: Shares) -> TokenMaps:
        """Return the players' shares as one map per class; zero where a box takes no part."""
        values, magnitude = shares.values.new_zeros(2, len(shares.values), self.boxes.count)
        values[:, self._numbers] = shares.values
        magnitude[:, self._numbers] = shares.magnitude
        shape = (-1, *self.boxes.shape)
        return TokenMaps(
            values.reshape(shape).numpy(),
            magnitude.reshape(shape).numpy(),
            self.boxes,
            error_figures(shares.errors),
        )
