"""How far two maps agree: in the order of all places, and in which are the strongest.

Spearman's rank correlation, and the Dice overlap of the strongest 5 % with what chance would give.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.types import Explanation

Values = NDArray[np.floating[Any]]
Unit = Literal["patches", "voxels"]
STRONGEST = 5.0  # per cent


@dataclass(frozen=True)
class Agreement:
    """How far two maps agree; both figures are None where none can be given.

    spearman
        Rank correlation of the signed values, -1 to 1.
    dice
        Overlap of the strongest places of both, 0 to 1.
    chance
        The overlap expected of random places, as many as these.
    places
        How many places were compared.
    unit
        What a place is.
    why_not
        Why there are no figures.
    """

    spearman: float | None
    dice: float | None
    chance: float | None
    places: int
    unit: Unit = "patches"
    why_not: str = ""


@dataclass(frozen=True, eq=False)
class SamePlaces:
    """The scaled values of two maps at the same places of the field of view."""

    first: Values
    second: Values
    unit: Unit


def same_places(first: Explanation, second: Explanation) -> SamePlaces:
    """Return what two explanations of one volume say of the same places.

    Those are the patches whose centres lie in the volume where both maps have the same patch grid,
    otherwise the voxels that both networks saw.
    """
    one, two = first.patch_map, second.patch_map
    if one.shape == two.shape and np.allclose(one.affine, two.affine, atol=1e-4):
        inside = _in_volume(first)
        return SamePlaces(_patches(first)[inside], _patches(second)[inside], "patches")
    a, b = first.scaled.voxels, second.scaled.voxels
    seen = np.isfinite(a) & np.isfinite(b)
    return SamePlaces(a[seen], b[seen], "voxels")


def agreement_of(first: Explanation, second: Explanation) -> Agreement:
    """Return how far two explanations of one volume agree, over the field of view."""
    found = same_places(first, second)
    return agreement(found.first, found.second, found.unit)


def agreement(first: Values, second: Values, unit: Unit = "patches") -> Agreement:
    """Return how far two maps agree; for a map without differences no figure can be given."""
    count = len(first)
    for name, values in (("A", first), ("B", second)):
        if count < 2 or values.min() == values.max():
            what = f"map {name} is constant" if count > 1 else "the maps share less than two places"
            return Agreement(None, None, None, count, unit, what)
    one, two = strongest(first), strongest(second)
    return Agreement(spearman(first, second), dice(one, two), chance(one, two), count, unit)


def spearman(first: Values, second: Values) -> float:
    """Return Spearman's rank correlation; equal values share their mean rank."""
    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])


def ranks(values: Values) -> NDArray[np.float64]:
    """Return the rank of every value from 1, the mean rank for equal ones."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = last - (counts - 1) / 2
    return mean[index.ravel()]


def strongest(values: Values, per_cent: float = STRONGEST) -> NDArray[np.bool_]:
    """Return where a map is strongest, by size whatever the sign.

    At least one place; places equal to the weakest of these belong to them, zero never does.
    """
    sizes = np.abs(values)
    count = max(ceil(sizes.size * per_cent / 100 - 1e-9), 1)
    weakest = np.partition(sizes, sizes.size - count)[sizes.size - count]
    return np.asarray((sizes >= weakest) & (sizes > 0))


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return twice the size of the common part, over the sum of both sizes."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def chance(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the Dice overlap expected of two random sets of these sizes.

    Each of the m places of one set lies in the other, of n places out of N, with probability n/N;
    so the common part is expected to have mn/N places, and Dice is 2mn / (N (m + n)): k/N for two
    sets of k places.
    """
    m, n = int(first.sum()), int(second.sum())
    return 2 * m * n / (first.size * (m + n))


def _patches(explanation: Explanation) -> Values:
    """Return the scaled map on its patch grid (x y z)."""
    return explanation.scaled.placement.patch_volume(explanation.scaled.patches).data


def _in_volume(explanation: Explanation) -> NDArray[np.bool_]:
    """Return which cells of the patch grid (x y z) have their centre in the volume."""
    cells, volume = explanation.patch_map, explanation.relevance
    to_voxels = np.linalg.inv(volume.affine) @ cells.affine
    index = np.indices(cells.shape).reshape(3, -1)
    voxels = to_voxels[:3, :3] @ index + to_voxels[:3, 3:]
    limits = np.array(volume.shape)[:, None] - 0.5
    return np.asarray(((voxels >= -0.5) & (voxels < limits)).all(axis=0).reshape(cells.shape))
