"""Regions whose relevance is followed over time: the head, what a labels layer marks, an atlas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.core.atlas import Atlas
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.head import head_mask
from g3dvit_napari.plugin.picture.layers import drawn_affine, grid_over

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Region:
    """A region by its name; `labels` is the layer or `atlas` the label image that marks it.

    Neither: the head. `value` is the label that counts, None for any.
    """

    name: str
    labels: Labels | None = None
    value: int | None = None
    version: int = 0  # counts the changes of the layer
    atlas: Atlas | None = None

    def __hash__(self) -> int:
        return hash((*self.key, self.version))

    @property
    def key(self) -> tuple[int, int | None]:
        """What stays the same when the layer is painted on or renamed."""
        return id(self.labels if self.atlas is None else self.atlas), self.value


HEAD = Region("Whole head")


def mask_of(region: Region, placement: Placement, layer: Layer) -> Mask:
    """Return the region on the grid (x y z) of a volume, as far as the network sees it.

    Parameters
    ----------
    region
        What is looked for.
    placement
        Where the maps lie; its volume is one frame of the series.
    layer
        The layer of the series, which says where the volume is drawn.
    """
    seen = placement.field_of_view > 0
    if region.atlas is not None:
        placed = region.atlas.on(placement.volume).labels
        return np.asarray(_marked(placed.data, region.value) & seen)
    if region.labels is None:
        return np.asarray(head_mask(placement.volume.data) & seen)
    marked = _marked(np.asarray(region.labels.data), region.value)
    pull = np.linalg.inv(drawn_affine(region.labels)) @ grid_over(layer, placement.volume).shown
    found: NDArray[Any] = ndimage.affine_transform(
        marked.transpose().astype(np.uint8),
        pull[:3, :3],
        pull[:3, 3],
        output_shape=placement.volume.shape,
        order=0,
    )
    return np.asarray((found > 0) & seen)


def _marked(labels: NDArray[Any], value: int | None) -> Mask:
    """Return where a label stands: of a series of labels, in any of its frames."""
    marked = labels > 0 if value is None else labels == value
    axes = tuple(range(marked.ndim - 3))
    return np.asarray(marked.any(axis=axes) if axes else marked)
