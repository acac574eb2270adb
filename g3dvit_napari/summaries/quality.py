"""Is this map worth a closer look? A few figures of one map, each beside what chance would give.

A share of relevance inside the head means nothing alone: the head fills a part of the image, and
patches at its border stick out of it. So the share comes with a floor (a map that knows nothing)
and a ceiling (a map that fills the patches of the head evenly, and nothing else).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.head import head_mask
from g3dvit_napari.core.types import Explanation

Mask = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Quality:
    """Figures of one map; NaN where there is no map, or no head stands out.

    in_head
        Share of the relevance that lies inside the head, of all that the network sees.
    chance
        The same share for a map that is equal everywhere.
    ceiling
        The same share for a map that fills the patches of the head evenly.
    strongest
        Share of the relevance that the strongest patch holds.
    spread
        How evenly the patches share the relevance: 1 when all have the same, 1/n when one has all.
    head_seen
        Share of the head that lies in the network's field of view.
    """

    in_head: float = nan
    chance: float = nan
    ceiling: float = nan
    strongest: float = nan
    spread: float = nan
    head_seen: float = nan

    @property
    def times_chance(self) -> float:
        """How much more relevance lies inside the head than chance would put there."""
        return self.in_head / self.chance if self.chance > 0 else nan

    @property
    def way_to_ceiling(self) -> float:
        """0 for a map that knows nothing, 1 for the best that patches of this size allow."""
        room = self.ceiling - self.chance
        return (self.in_head - self.chance) / room if room > 0 else nan


def quality_of(explanation: Explanation) -> Quality:
    """Return the figures of an explanation; sizes count for signed maps, not values."""
    placement = explanation.scaled.placement
    head = head_mask(placement.volume.data)
    seen: Mask = placement.field_of_view > 0
    head_seen = float((head & seen).sum() / head.sum())
    if explanation.status != "ok" or head.all():
        return Quality(head_seen=head_seen)
    sizes = np.abs(explanation.scaled.patches).ravel()
    return Quality(
        in_head=_share(np.abs(explanation.scaled.voxels[seen]), head[seen]),
        chance=float(head[seen].mean()),
        ceiling=_ceiling(explanation.scaled.patches.shape, placement, head & seen, seen),
        strongest=float(sizes.max() / sizes.sum()),
        spread=_spread(sizes),
        head_seen=head_seen,
    )


def _share(values: Floats, inside: Mask) -> float:
    total = values.sum(dtype=np.float64)
    return float(values[inside].sum(dtype=np.float64) / total) if total > 0 else nan


def _ceiling(shape: tuple[int, ...], placement: Placement, head: Mask, seen: Mask) -> float:
    """Return the share of an even map of the cells that lie in the head by at least one half."""
    numbers = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    index = placement.to_native(numbers, "nearest")[seen].astype(np.int64)
    total = np.bincount(index, minlength=numbers.size)
    inside = np.bincount(index, head[seen], minlength=numbers.size)
    chosen = (total > 0) & (inside >= total / 2)
    even = placement.to_native(chosen.astype(np.float64).reshape(shape))
    return _share(even[seen], head[seen])


def _spread(sizes: Floats) -> float:
    """Return the effective number of patches (exp of the entropy) over their number."""
    shares = sizes[sizes > 0] / sizes.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()) / sizes.size)
