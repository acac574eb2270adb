"""Find the anatomy of a network that is not ours, by running it a few times on noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells, Triple
from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.models.anatomy import Anatomy, Site
from g3dvit_napari.models.capture import capturing
from g3dvit_napari.models.convolutional import feature_sites
from g3dvit_napari.models.hooked import replacing
from g3dvit_napari.models.placing import UNKNOWN, merged_cells, placed_sites
from g3dvit_napari.models.read_out import Averaged, read_out
from g3dvit_napari.models.self_attention import SelfAttention, attentions_of
from g3dvit_napari.models.steady import Steady

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


def probe(model: ModelHandle) -> Anatomy:
    """Return what running a network shows of it, and where the spec names it, its last norm.

    Raises
    ------
    SpecError
        When the spec contradicts what the network does, or says too little.
    MethodError
        When the spec names a norm that there is not.
    """
    images = _noise(model, 0), _noise(model, 1)
    with capturing(model.network):
        attentions, unclear = attentions_of(model, images[0])
        found = _transformer(model, images[0], attentions, unclear)
        if not (attentions or unclear):
            sites, remarks = feature_sites(model, images[0])
            found = Anatomy(tuple(sites), remarks=tuple(remarks))
        if model.spec.network.norm is not None:
            found = _with_norm(model, images[0], found, model.spec.network.norm)
        found = _with_read_out(model, images, found, len(attentions) + len(unclear))
        return _with_activation(model, images[0], found)


def _noise(model: ModelHandle, seed: int) -> Tensor:
    """Return a random image, without touching the global random state."""
    image = torch.randn(model.image_shape, generator=torch.Generator().manual_seed(seed))
    return model.prepared(image)


def _transformer(
    model: ModelHandle,
    image: Tensor,
    attentions: Sequence[SelfAttention],
    unclear: Sequence[str],
) -> Anatomy:
    """Return the sites of a transformer, and its attention if all of it is understood."""
    if not attentions:
        return Anatomy((), remarks=tuple(_unknown(unclear)))
    sites, remarks = placed_sites(model, image, attentions)
    kind: Literal["global", "windows", "none"] = "global"
    if unclear:
        kind = "none"
        remarks = [*remarks, *_unknown(unclear)]
    elif not all(attention.everywhere for attention in attentions):
        kind = "windows"
    if not all(attention.traced for attention in attentions):
        remarks.append("queries and keys of some attentions are not known, only their scores")
    windows = tuple(a.windows for a in attentions) if kind == "windows" else ()
    return Anatomy(tuple(sites), kind, windows, remarks=tuple(remarks))


def _unknown(unclear: Sequence[str]) -> list[str]:
    few = "; ".join(unclear[:3]) + ("; …" if len(unclear) > 3 else "")
    return [f"methods that read attention cannot explain this network ({few})"] if few else []


def _with_norm(model: ModelHandle, image: Tensor, found: Anatomy, name: str) -> Anatomy:
    """Return the anatomy with the norm that the spec names as the last site."""
    if found.sites and found.sites[-1].name == name:
        return found
    known = [number for number, site in enumerate(found.sites) if site.name == name]
    if known:
        sites = found.sites[: known[0] + 1]
        remark = f"network.norm names {name}, so what is behind it is left out, its attention too"
        return Anatomy(sites, remarks=(*found.remarks, remark))
    last = _named(model, image, name, found.sites[-1] if found.sites else None)
    return replace(found, sites=(*found.sites[:-1], last))


def _named(model: ModelHandle, image: Tensor, name: str, before: Site | None) -> Site:
    """Return the site of a norm whose name is given; `before`: the one it takes the place of."""
    site = Site(name, "b n d", 0, UNKNOWN)
    shapes: list[tuple[int, ...]] = []

    def see(output: Tensor) -> Tensor:
        shapes.append(tuple(output.shape))
        return output

    with replacing(model.network, site, see):
        model.answer(image)
    if not shapes:
        raise SpecError(
            f"{name} (network.norm) took no part in the network's answer; set network.norm to the "
            "layer norm in front of the last attention"
        )
    spec, shape = model.spec.network, shapes[-1]
    prefix = (before.prefix if before else 0) if spec.prefix_tokens is None else spec.prefix_tokens
    if before is not None:
        cells = before.cells
    else:
        cells = Cells.tiling(spec.token_grid, cast(Triple, spec.patch))
    if len(shape) != 3 or shape[1] != prefix + cells.count:
        grid = " × ".join(map(str, cells.shape))
        raise SpecError(
            f"{name} (network.norm) must yield one vector per token, (1, {prefix + cells.count}, "
            f"features): {grid} cells and {prefix} prefix tokens, but yields {shape}; correct "
            "norm, image_size, patch or prefix_tokens"
        )
    return replace(site, prefix=prefix, cells=cells)


def _with_read_out(
    model: ModelHandle, images: tuple[Tensor, Tensor], found: Anatomy, attentions: int
) -> Anatomy:
    """Return the anatomy with how the head reads its tokens or feature map."""
    if not (attentions or found.sites):
        return found
    pool, averaged = read_out(model, images, attentions or found.sites[-1])
    if averaged is None or not averaged.linear:
        return replace(found, pool=pool)
    site = _averaged_site(found, averaged)
    return replace(found, pool=pool, linear_head=site is not None, averaged=site)


def _averaged_site(found: Anatomy, averaged: Averaged) -> Site | None:
    """Return where the averaged features are, and how their cells lie."""
    sites = (site for site in found.sites if site.name in averaged.names and not site.entering)
    known = next(sites, None)
    if known is not None or not found.sites:
        return known
    shape = averaged.shape
    grids = {"b f h w d": shape[1:4], "b d f h w": shape[2:5]}
    grid = cast(Triple | None, grids.get(averaged.layout))
    tokens = prod(grid) if grid else max(shape[:2])
    merged = merged_cells(found.sites[-1], tokens, grid)
    return None if merged is None else Site(averaged.names[0], averaged.layout, *merged)


def _with_activation(model: ModelHandle, image: Tensor, found: Anatomy) -> Anatomy:
    """Return the anatomy with the activation behind the logits."""
    steady = Steady()
    with steady:
        _, activation = steady.before(model.checked_logits(model.network(image)))
    if not activation:
        return found
    remark = f"the network ends in {activation}; what enters it is explained and counts as logits"
    return replace(found, activation=activation, remarks=(*found.remarks, remark))
