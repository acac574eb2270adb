"""Find the anatomy of a network that is not ours, by running it a few times on noise."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells, Triple
from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.core.spec import ModelSpec
from g3dvit_napari.models.as_found.capture import capturing
from g3dvit_napari.models.passes.hooked import replacing
from g3dvit_napari.models.probing.anatomy import Anatomy, Site
from g3dvit_napari.models.probing.convolutional import feature_sites
from g3dvit_napari.models.probing.leaving import leaving_sites
from g3dvit_napari.models.probing.placing import UNKNOWN, merged_cells, placed_sites
from g3dvit_napari.models.probing.read_out import Averaged, ReadOut, read_out
from g3dvit_napari.models.probing.self_attention import Heard, attentions_of

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


def probe(model: ModelHandle) -> Anatomy:
    """Return what running a network shows of it, and where the spec names it, its last norm.

    Raises
    ------
    SpecError
        When the spec contradicts what the network does, or says too little.
    """
    images = _noise(model, 0), _noise(model, 1)
    with capturing(model.network):
        heard = attentions_of(model, images[0])
        if heard.attentions:
            found = _transformer(model, images[0], heard)
        else:
            sites, remarks = feature_sites(model, images[0])
            found = Anatomy(tuple(sites), remarks=(*_unknown(heard), *remarks))
        if model.spec.network.norm is not None:
            found = _with_norm(model, images[0], found, model.spec.network.norm)
        if found.attention != "none":
            within = [attention.within for attention in heard.attentions]
            found = replace(found, leaving=leaving_sites(model, images, found.sites, within))
        return _with_read_out(model, images, found, heard.calls if heard.attentions else 0)


def with_patch(spec: ModelSpec, anatomy: Anatomy) -> ModelSpec:
    """Return a spec whose patch, if it has none, is the finest cell larger than a voxel."""
    if spec.network.patch is not None or not anatomy.sites:
        return spec
    sizes = [tuple(max(1, round(size)) for size in site.cells.size) for site in anatomy.sites]
    patch = next((size for size in sizes if size != (1, 1, 1)), sizes[0])
    return spec.merged(spec.network.model_copy(update={"patch": patch}))


def _noise(model: ModelHandle, seed: int) -> Tensor:
    """Return a random image, without touching the global random state."""
    image = torch.randn(model.image_shape, generator=torch.Generator().manual_seed(seed))
    return model.prepared(image)


def _transformer(model: ModelHandle, image: Tensor, heard: Heard) -> Anatomy:
    """Return the sites of a transformer, and its attention if all of it is understood."""
    sites, remarks = placed_sites(model, image, heard.attentions)
    kind: Literal["global", "windows", "none"] = "global"
    if heard.unclear:
        kind = "none"
    elif not all(attention.everywhere for attention in heard.attentions):
        kind = "windows"
    if not all(attention.traced for attention in heard.attentions):
        remarks.append("of some attentions the scores are known, but not queries and keys")
    windows = tuple(a.windows.cpu() for a in heard.attentions) if kind == "windows" else ()
    return Anatomy(tuple(sites), kind, windows, remarks=(*_unknown(heard), *remarks))


def _unknown(heard: Heard) -> tuple[str, ...]:
    if not heard.unclear:
        return ()
    few = "; ".join(heard.unclear[:3]) + ("; …" if len(heard.unclear) > 3 else "")
    return (f"the attention of this network is not understood, so it is not offered ({few})",)


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
    if found.sites:
        read = read_out(model, images, attentions or found.sites[-1])
    else:
        read = ReadOut("other", None, model.answer_and_activation(images[0])[1])
    remarks = found.remarks
    if read.activation:
        remarks += (f"the network ends in {read.activation}; what enters it counts as its logits",)
    site = None if read.averaged is None else _averaged_site(found, read.averaged)
    return replace(
        found,
        pool=read.pool,
        linear_head=site is not None,
        averaged=site,
        activation=read.activation,
        remarks=remarks,
    )


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
