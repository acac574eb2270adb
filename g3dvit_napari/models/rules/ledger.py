"""What biases contribute to an explained number, and at which place each of them does so."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.models.attention.row_vectors import split_among
from g3dvit_napari.models.probing.anatomy import Anatomy, Site

Entry = tuple[int, tuple[int, ...]]  # a stage, and the shape of an output without its features


class Ledger:
    """Sums of bias × gradient over features, for outputs of each shape; float64 on the CPU.

    Stage 0 is what comes before the first site, stage i + 1 what comes behind site i.
    """

    def __init__(self) -> None:
        self._sums: dict[Entry, Tensor] = {}

    def add(self, stage: int, gradient: Tensor, added: Tensor, axis: int | None) -> None:
        """Account for one addition; see `rules.Books`."""
        share = contribution(gradient, added.detach(), axis).cpu().double()
        entry = (stage, tuple(share.shape))
        self._sums[entry] = self._sums[entry] + share if entry in self._sums else share

    def total(self, stage: int) -> Tensor:
        """Return the sum of everything from a stage on."""
        sums = [share.sum() for (of, _), share in self._sums.items() if of >= stage]
        return torch.stack([torch.zeros((), dtype=torch.float64), *sums]).sum()

    def placed(self, stage: int, anatomy: Anatomy, image: Site, target: Site) -> Tensor:
        """Return what was added at each place (n) of a site, from a stage on.

        Tokens, windows and grids of cells have places; what is added behind the pooling has none.
        A grid that is no site's is taken to cover the image evenly. The share of a coarse cell is
        split equally among the finer ones inside it.
        """
        found = torch.zeros(target.tokens, dtype=torch.float64)
        for (of, shape), share in self._sums.items():
            at = _site_of(of, shape, anatomy, image) if of >= stage else None
            if at is not None:
                tokens = _tokens_of(share, of, anatomy, at)
                moved = split_among(tokens, at, target)
                found[target.prefix :] += moved[at.prefix :]
                if at.prefix == target.prefix:
                    found[: at.prefix] += moved[: at.prefix]
        return found


def contribution(gradient: Tensor, added: Tensor, axis: int | None) -> Tensor:
    """Return added × gradient at each place: summed over the axis of the features."""
    if axis == -1:
        return gradient @ added
    if axis == 1:
        places = (gradient.shape[0], *gradient.shape[2:])
        return (added @ gradient.flatten(2) if gradient.ndim > 2 else gradient @ added).view(places)
    product = gradient * added
    return product.sum(-1) if product.ndim == 3 else product.sum()


def _site_of(stage: int, shape: Sequence[int], anatomy: Anatomy, image: Site) -> Site | None:
    """Return the site whose places an output of this shape has, or None."""
    sites = anatomy.sites
    if _windows_of(stage, shape, anatomy) is not None:
        return sites[stage - 1]
    if len(shape) == 2:
        return next((s for s in sites if sorted(shape) == [1, s.tokens]), None)
    if len(shape) != 4 or shape[0] != 1:
        return None
    grid = (shape[1], shape[2], shape[3])
    known = next((site.cells for site in sites if site.cells.shape == grid), None)
    size = [n / cells for n, cells in zip(image.cells.shape, grid, strict=True)]
    return Site("", "b f h w d", 0, known or Cells.tiling(grid, size))


def _tokens_of(share: Tensor, stage: int, anatomy: Anatomy, site: Site) -> Tensor:
    windows = _windows_of(stage, share.shape, anatomy)
    if windows is None:
        return share.flatten()
    real = windows >= 0
    tokens = torch.zeros(site.tokens, dtype=share.dtype)
    return tokens.index_add(0, windows[real], share.view_as(windows)[real])


def _windows_of(stage: int, shape: Sequence[int], anatomy: Anatomy) -> Tensor | None:
    """Return which token stands at each place of the windows of a stage, if it has this shape."""
    if not (anatomy.windows and stage > 0):
        return None
    windows = anatomy.windows[stage - 1].cpu()
    return windows if tuple(shape) in (windows.shape, (1, *windows.shape)) else None
