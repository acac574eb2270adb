"""Where the cells of a transformer's sites lie in the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from math import log, prod
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells, Floats, Triple
from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.models.passes.hooked import replacing
from g3dvit_napari.models.probing.anatomy import Site
from g3dvit_napari.models.probing.self_attention import SelfAttention
from g3dvit_napari.models.probing.sight import Sight, silent
from g3dvit_napari.models.probing.tape import Tape

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle

MOST_GRIDS = 40  # that are tried on tokens in a row
UNKNOWN = Cells.voxels((1, 1, 1))


def placed_sites(
    model: ModelHandle, image: Tensor, attentions: Sequence[SelfAttention]
) -> tuple[list[Site], list[str]]:
    """Return the site of every attention, and what is not certain of where their cells lie.

    The cells of the first are measured; later ones are the same, or whole numbers of them merged.
    To be called inside `capturing`.

    Raises
    ------
    SpecError
        When tokens lie on no grid, or on another one than the spec says.
    """
    site, remarks = _first_site(model, image, attentions[0])
    sites = []
    for attention in attentions:
        merged = merged_cells(site, attention.tokens, _grid(attention))
        if merged is None:
            raise SpecError(
                f"{attention.name} holds {attention.tokens} tokens, which neighbours among the "
                f"{' × '.join(map(str, site.cells.shape))} cells before it cannot be merged into; "
                "this network cannot be explained"
            )
        prefix, cells = merged
        site = Site(attention.name, attention.layout, prefix, cells, attention.entering)
        sites.append(site)
    if missed := _unconfirmed(model, image, sites):
        remarks.append(
            f"where the cells of {', '.join(missed)} lie could not be confirmed: something besides "
            "attention mixes them"
        )
    return sites, remarks


def merged_cells(
    before: Site, tokens: int, shape: Triple | None = None
) -> tuple[int, Cells] | None:
    """Return prefix and cells of so many tokens, made of the cells of a site; None: impossible."""
    if tokens == before.tokens and shape in (None, before.cells.shape):
        return before.prefix, before.cells
    for prefix, factor, rest in product({0, before.prefix}, range(1, 9), ("filled", "dropped")):
        fill = factor - 1 if rest == "filled" else 0
        merged = tuple((n + fill) // factor for n in before.cells.shape)
        if prefix + prod(merged) == tokens and shape in (None, merged):
            size = tuple(factor * s for s in before.cells.size)
            axes = zip(before.cells.first, before.cells.size, strict=True)
            first = tuple(f + (factor - 1) / 2 * s for f, s in axes)
            cells = Cells(cast(Triple, merged), cast(Floats, size), cast(Floats, first))
            return prefix, cells
    return None


def _first_site(
    model: ModelHandle, image: Tensor, attention: SelfAttention
) -> tuple[Site, list[str]]:
    unplaced = Site(attention.name, attention.layout, 0, UNKNOWN, attention.entering)
    sight, spec, grid = Sight(model, image, unplaced), model.spec.network, _grid(attention)
    prefix = sight.prefix if spec.prefix_tokens is None else spec.prefix_tokens
    if grid is not None:
        prefix = 0
    count = attention.tokens - prefix
    told = spec.token_grid if spec.patch else None
    fits = told is not None and prod(told) == count
    grids = [grid] if grid else [*([told] if told and fits else []), *_likely(count, image)]
    found = (sight.cells(each, prefix) for each in grids)
    cells = next((each for each in found if each is not None), None)
    remarks = []
    if cells is None and told and fits:
        cells = Cells.tiling(told, cast(Triple, spec.patch))
    if cells is None:
        raise SpecError(
            f"{attention.name} holds {attention.tokens} tokens, {prefix} of them in front of the "
            "cells, and no grid was found on which the others look at the image one after "
            "another; write network.patch and network.prefix_tokens into the spec, or correct them"
        )
    if not _as_told(cells, spec.patch):
        size = " × ".join(f"{s:g}" for s in cells.size)
        said = f"network.patch is {list(cast(Triple, spec.patch))}, but neighbouring tokens of "
        said += f"{attention.name} look at voxels {size} apart"
        if fits:
            raise SpecError(f"{said}; correct network.patch")
        remarks.append(f"{said}; that is used")
    return Site(unplaced.name, unplaced.layout, prefix, cells, unplaced.entering), remarks


def _grid(attention: SelfAttention) -> Triple | None:
    """Return the cells along each axis, where the shape of a site tells."""
    shape = attention.shape
    found = {"b f h w d": shape[1:4], "b d f h w": shape[2:5]}.get(attention.layout)
    return cast(Triple | None, found)


def _likely(count: int, image: Tensor) -> Iterator[Triple]:
    """Yield grids of so many cells, the ones with the most cubic cells first."""

    def uneven(grid: Triple) -> float:
        sizes = [log(n / cells) for n, cells in zip(image.shape[2:], grid, strict=True)]
        return max(sizes) - min(sizes)

    divisors = [n for n in range(1, count + 1) if count % n == 0]
    pairs = product(divisors, repeat=2)
    grids = ((f, h, count // (f * h)) for f, h in pairs if count % (f * h) == 0)
    yield from sorted(grids, key=uneven)[:MOST_GRIDS]


def _as_told(cells: Cells, patch: Triple | None) -> bool:
    """Whether cells are as far apart as the spec says; of a single one that is not known."""
    if patch is None:
        return True
    axes = zip(cells.shape, cells.size, patch, strict=True)
    return all(n == 1 or abs(size - told) < 0.5 for n, size, told in axes)


def _unconfirmed(model: ModelHandle, image: Tensor, sites: Sequence[Site]) -> list[str]:
    """Return the sites at which a voxel without a value does not show up in its own cell."""
    voxel = [int(0.4 * n) for n in image.shape[2:]]
    broken = image.clone()
    broken[:, :, voxel[0], voxel[1], voxel[2]] = torch.nan
    reached: dict[int, Tensor] = {}
    with ExitStack() as stack:
        for number, site in enumerate(sites):

            def see(output: Tensor, number: int = number, site: Site = site) -> Tensor:
                cells = site.flat(output)[0, site.prefix :].isnan().any(-1)
                reached[number] = cells.reshape(site.cells.shape).nonzero().cpu().double()
                return output

            stack.enter_context(replacing(model.network, site, see))
        with Tape(silent):
            model.answer(broken)
    return [s.name for n, s in enumerate(sites) if not _around(voxel, s.cells, reached.get(n))]


def _around(voxel: Sequence[int], cells: Cells, reached: Tensor | None) -> bool:
    if reached is None or not len(reached) or len(reached) == cells.count > 1:
        return False
    axes = zip(voxel, cells.first, cells.size, reached.mean(0).tolist(), strict=True)
    return all(abs((at - first) / size - mean) <= 1 for at, first, size, mean in axes)
