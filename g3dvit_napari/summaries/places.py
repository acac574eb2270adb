"""One place of a map, in every way that it can be named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.atlas import Atlas
from g3dvit_napari.core.types import Explanation

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Place:
    """A voxel of the explained volume.

    world_mm
        Its centre (x, y, z) in the volume's own space, RAS+.
    relevance
        The value of the smooth map, as scaled for showing.
    raw
        The same in the method's own units.
    cell
        Which cell of the map (f, h, w) the voxel lies in.
    region
        The name of the region it lies in; empty without an image of labels, and outside them.
    """

    index: Triple
    world_mm: tuple[float, float, float]
    relevance: float
    raw: float
    in_head: bool
    cell: Triple | None
    region: str = ""


def place_of(explanation: Explanation, atlas: Atlas | None, index: NDArray[Any]) -> Place:
    """Describe one voxel; the atlas lies on the volume's grid."""
    x, y, z = (int(n) for n in index)
    scaled, affine = explanation.scaled, explanation.relevance.affine
    right, front, up = (float(w) for w in affine[:3, :3] @ (x, y, z) + affine[:3, 3])
    value, label = float(scaled.voxels[x, y, z]), 0
    if atlas is not None:
        label = int(atlas.labels.data[x, y, z])
    number = int(scaled.cell_numbers[x, y, z])
    f, h, w = np.unravel_index(max(number, 0), scaled.patches.shape)
    return Place(
        (x, y, z),
        (right, front, up),
        value,
        scaled.raw(value),
        bool(scaled.head[x, y, z]),
        None if number < 0 else (int(f), int(h), int(w)),
        atlas.name_of(label) if atlas is not None and label else "",
    )
