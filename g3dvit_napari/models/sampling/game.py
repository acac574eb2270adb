"""Parts of the image as players: present, or replaced by the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.models.sampling.estimate import error_figures
from g3dvit_napari.models.sampling.hiding import Hiding
from g3dvit_napari.models.sampling.parts import Parts

if TYPE_CHECKING:
    from g3dvit_napari.models.passes.forward import ForwardPass


class Shares(NamedTuple):
    """What each player gets (k m), the size of the terms behind it, and its standard error.

    `ends` are the explained numbers (2 k) with nobody present, and with everybody.
    """

    values: Tensor
    magnitude: Tensor
    errors: Tensor
    ends: Tensor


class Game:
    """What the explained numbers are when some parts are present and the others are not.

    Parts that equal the baseline everywhere take no part: whatever the others do they change
    nothing, so their Shapley value is zero. Patches that are in no part are always present.

    Parameters
    ----------
    parts
        What is hidden and shown as one.
    baseline
        What stands where a part is absent (1 c f h w).
    """

    def __init__(
        self, run: ForwardPass, parts: Parts, baseline: Tensor, targets: Sequence[int]
    ) -> None:
        self.parts, self._targets = parts, targets
        self._hiding, numbers = Hiding(run, baseline), parts.of_patches
        self._inside = numbers >= 0
        matters = self._inside & self._hiding.differs
        self._numbers = torch.unique(numbers[matters if matters.any() else self._inside])
        # Patches of other parts may go with any player: both images agree on them.
        self._player = torch.searchsorted(self._numbers, numbers).clamp(max=self.players - 1)

    @property
    def players(self) -> int:
        """How many parts differ from the baseline."""
        return len(self._numbers)

    def worth(self, coalitions: Iterable[Tensor], count: int) -> Tensor:
        """Return the explained numbers (count k) with those present that are True in each (m)."""
        hidden = (self._inside & ~present[self._player] for present in coalitions)
        return self._hiding.scores(hidden, count, self._targets)

    def maps(self, shares: Shares) -> TokenMaps:
        """Return one map per class: each part's share, spread evenly over its cells.

        It is zero where a part takes no part in the game, and where there is none.
        """
        of_cells = self.parts.of_cells
        sizes = torch.bincount(of_cells[of_cells >= 0])
        both = torch.stack([shares.values, shares.magnitude]) / sizes[self._numbers]
        found = both.new_zeros(2, len(shares.values), len(sizes) + 1)  # the last one is nobody's
        found[..., self._numbers] = both
        values, magnitude = found[..., of_cells].numpy()
        figures = tuple(
            {"score": float(all_), "score_baseline": float(none), **errors}
            for none, all_, errors in zip(*shares.ends, error_figures(shares.errors), strict=True)
        )
        return TokenMaps(values, magnitude, self.parts.cells, figures, self.parts.remarks)
