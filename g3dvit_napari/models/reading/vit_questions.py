"""What the weights of a ViT of vit-pytorch leave open: patch, image, heads, pooling, order."""

from __future__ import annotations

import math

from g3dvit_napari.core.errors import CheckpointError, SpecError
from g3dvit_napari.core.spec import NetworkSpec, Triple
from g3dvit_napari.models.reading.draft import Draft
from g3dvit_napari.models.reading.readings import (
    Reading,
    head_readings,
    in_words,
    is_cube,
    is_likely,
    is_sensible,
    patch_readings,
    plane_readings,
    triples,
)
from g3dvit_napari.models.reading.vit_keys import ViTFound

_BEFORE = {"legacy": "before", "new": "since"}
WHY_LEGACY = (
    "patch_order legacy, as the spec is silent: vit-pytorch changed the order of the voxels inside "
    "a patch in 1.16.2 (December 2025) without changing a key or a shape, and most checkpoints are "
    "older; write patch_order: new into the spec for a network trained with a newer version"
)


def settle_vit(draft: Draft, found: ViTFound) -> None:
    """Fill in what the weights decide, and ask for the rest."""
    simple = found.family == "simple_vit_3d"
    draft.set(
        dim=found.dim,
        depth=found.depth,
        mlp_dim=found.mlp_dim,
        prefix_tokens=0 if simple else 1,
    )
    _refuse_plane(draft, found)
    _complete_patch(draft, found)
    _complete_image(draft, found)
    _complete_heads(draft, found)
    if simple:
        draft.set(pool="mean")
    elif draft.spec.pool is None:
        readings = (Reading({"pool": "cls"}, "vit-pytorch's default"), Reading({"pool": "mean"}))
        draft.ask("pool", "both readings have the same weights", readings)
    order = draft.spec.patch_order
    if order is None:
        draft.set(patch_order="legacy")
        draft.notes.append(WHY_LEGACY)
    else:
        when = f"the order {_BEFORE[order]} vit-pytorch 1.16.2"
        draft.notes.append(f"patch_order {order}, as the spec says: {when}")


def _refuse_plane(draft: Draft, found: ViTFound) -> None:
    """Refuse vit-pytorch's 2D ViT with a final norm, where the spec does not say it is 3D."""
    spec = draft.spec
    if found.patches is None or spec.image_size is not None or spec.patch is not None:
        return
    plane = plane_readings(found.patches, found.patch_voxels)
    if plane and found.layout.final_norm:
        raise CheckpointError(
            f"the weights look like a 2D ViT of vit-pytorch: {plane}. Only 3D networks are read; "
            "if it is one, say so with network.image_size and patch in the spec"
        )
    if plane:
        draft.notes.append(f"the sizes also fit a 2D network: {plane}; only 3D ones are read")


def _complete_patch(draft: Draft, found: ViTFound) -> None:
    """Settle channels and patch, as far as the number of values per patch allows."""
    spec, voxels = draft.spec, found.patch_voxels
    readings = [r for r in patch_readings(voxels, spec.channels) if _fits(spec, found.patches, *r)]
    if not readings:
        raise SpecError(_no_patch(spec, found))
    likely = [reading for reading in readings if is_likely(*reading)]
    channels, patch = readings[0]
    if len(readings) > 1:
        channels, patch = likely[0] if likely else readings[0]
        if len(likely) != 1 or not is_cube(patch) or channels > 1:
            listed = [
                Reading({"patch": p, "channels": c}, "cube" if is_cube(p) else "")
                for c, p in readings
            ]
            draft.ask("patch", f"{voxels} values per patch can be read as", listed)
            return
        draft.notes.append(
            f"patch {in_words(patch)}, one channel: the only cube of {voxels} values"
        )
    draft.set(channels=channels, patch=patch)


def _fits(spec: NetworkSpec, patches: int | None, channels: int, patch: Triple) -> bool:
    if spec.patch not in (None, patch) or spec.channels not in (None, channels):
        return False
    if spec.image_size is None:
        return True
    if any(n % p for n, p in zip(spec.image_size, patch, strict=True)):
        return False
    grid = math.prod(spec.image_size) // math.prod(patch)
    return patches in (None, grid)


def _no_patch(spec: NetworkSpec, found: ViTFound) -> str:
    given = {"image_size": spec.image_size, "patch": spec.patch, "channels": spec.channels}
    said = ", ".join(f"{n} {in_words(v)}" for n, v in given.items() if v is not None)
    tokens = "" if found.patches is None else f" and {found.patches} patches per image"
    text = (
        f"the weights have {found.patch_voxels} values per patch{tokens}, but the spec says {said}"
    )
    if spec.patch and spec.channels:
        text += f" ({math.prod(spec.patch) * spec.channels} values per patch"
        if spec.image_size:
            edges = zip(spec.image_size, spec.patch, strict=True)
            text += f", {' × '.join(f'{n / p:g}' for n, p in edges)} patches"
        text += ")"
    return f"{text}; correct network.image_size, patch or channels"


def _complete_image(draft: Draft, found: ViTFound) -> None:
    """Settle the image size, as far as the number of positions allows."""
    spec, count = draft.spec, found.patches
    if spec.image_size is not None:
        return
    if count is None:
        draft.ask("image_size", "this family computes its positions, so any size fits the weights")
        return
    grids = triples(count)
    sensible = [grid for grid in grids if is_sensible(grid)]
    unique = len(grids) == 1 or (len(sensible) == 1 and is_cube(sensible[0]))
    if spec.patch is None:
        listed = [Reading({"token grid": grid}) for grid in grids]
        draft.ask("image_size", f"patch times token grid; {count} patches can be read as", listed)
    elif unique:
        size = _times((sensible or grids)[0], spec.patch)
        draft.notes.append(f"image {in_words(size)}: the only cube of {count} patches")
        draft.set(image_size=size)
    else:
        sizes = [(grid, _times(grid, spec.patch)) for grid in grids]
        listed = [Reading({"image_size": s}, f"{in_words(g)} patches") for g, s in sizes]
        draft.ask("image_size", f"{count} patches can be read as", listed)


def _times(grid: Triple, patch: Triple) -> Triple:
    f, h, w = (n * p for n, p in zip(grid, patch, strict=True))
    return f, h, w


def _complete_heads(draft: Draft, found: ViTFound) -> None:
    """Settle heads and dim_head, of which the weights give only the product."""
    spec = draft.spec
    if found.single_head:
        draft.set(heads=1, dim_head=found.inner)
        return
    projected = found.family == "vit_3d"
    pairs = head_readings(found.inner, found.dim, projected=projected)
    possible = [
        (heads, width)
        for heads, width in pairs
        if spec.heads in (None, heads) and spec.dim_head in (None, width)
    ]
    if not possible:
        given = f"heads {spec.heads or '?'}, dim_head {spec.dim_head or '?'}"
        options = ", ".join(f"{heads} × {width}" for heads, width in pairs[:6])
        raise SpecError(
            f"the spec says {given}, but in the weights heads × dim_head is {found.inner}; "
            f"possible are {options}"
        )
    if len(possible) == 1:
        draft.set(heads=possible[0][0], dim_head=possible[0][1])
        return
    usual = "the width per head that vit-pytorch uses unless told otherwise"
    listed = [
        Reading({"heads": heads, "dim_head": width}, usual if width == 64 else "")
        for heads, width in possible
    ]
    draft.ask("heads", f"heads × dim_head is {found.inner}, which can be read as", listed)
