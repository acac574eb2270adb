"""How much memory a result takes, and how it is kept in a thousandth of that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.compact import CompactExplanation
from g3dvit_napari.core.types import Explanation, Volume
from g3dvit_napari.plugin.lane import Report

Array = NDArray[Any]


def packed(found: Explanation) -> Explanation:
    """Return an explanation without its voxels: the map on patches tells them all."""
    scaled = replace(found.scaled, placement=replace(found.scaled.placement))  # drops the caches
    return replace(
        found,
        scaled=scaled,
        relevance=_hollow(found.relevance, np.float32(np.nan)),
        field_of_view=_hollow(found.field_of_view, np.uint8(0)),
    )


def is_packed(found: Explanation) -> bool:
    """Whether an explanation has no voxels at present."""
    return found.relevance.data.strides == (0, 0, 0)


def unpack(found: Explanation, report: Report) -> Explanation:
    """Return an explanation with its voxels, exactly as they were; the network is not needed."""
    report(0.0, "placing the map")
    kept, cut_at = CompactExplanation.of(found), found.request.threshold
    whole = kept.laid(found.scaled, cut_at, origin=found.origin)
    return replace(whole, patch_map=found.patch_map)  # by which cuts of one answer are known


def bytes_of(results: Iterable[tuple[Explanation, object]]) -> int:
    """Return what explanations hold in memory, each with the data of its layer, which is not ours.

    An array that several of them share counts once.
    """
    sizes: dict[int, int] = {}
    for found, layer_data in results:
        for array in _arrays(found):
            own = array if array.base is None else array.base
            if not _belongs_to(array, layer_data):
                sizes[id(own)] = array.nbytes if 0 not in array.strides else 0
    return sum(sizes.values())


def _arrays(found: Explanation) -> Iterable[Array]:
    yield from (found.relevance.data, found.field_of_view.data, found.patch_map.data)
    yield found.scaled.placement.volume.data
    for holder in (found.scaled, found.scaled.placement):
        yield from (held for held in vars(holder).values() if isinstance(held, np.ndarray))


def _belongs_to(array: Array, layer_data: object) -> bool:
    return isinstance(layer_data, np.ndarray) and np.may_share_memory(array, layer_data)


def _hollow(volume: Volume, value: np.generic) -> Volume:
    return volume.like(np.broadcast_to(value, volume.shape))
