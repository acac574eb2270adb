"""Find the anatomy of a network that is not ours, by running it once on noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.models.anatomy import Anatomy, Site

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


def probe(model: ModelHandle) -> Anatomy:
    """Return what the spec says of a network."""
    network = model.spec.network
    if network.norm is None:
        return Anatomy(sites=())
    cells = Cells.tiling(network.token_grid, network.patch or (1, 1, 1))
    return Anatomy(sites=(Site(network.norm, "b n d", network.prefix_tokens or 0, cells),))
