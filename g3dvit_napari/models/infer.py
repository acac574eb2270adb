"""Complete a network spec from the weights, ask for the rest, and build the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from g3dvit_napari.core.errors import CheckpointError, SpecError
from g3dvit_napari.core.spec import NetworkSpec, Triple
from g3dvit_napari.models.layout import Found, State, canonical, read_off
from g3dvit_napari.models.readings import (
    Question,
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
from g3dvit_napari.models.vit3d import ViT3D

_BEFORE = {"legacy": "before", "new": "since"}
WHY_LEGACY = (
    "patch_order legacy, as the spec is silent: vit-pytorch changed the order of the voxels inside "
    "a patch in 1.16.2 (December 2025) without changing a key or a shape, and most checkpoints are "
    "older; write patch_order: new into the spec for a network trained with a newer version"
)


@dataclass
class Draft:
    """A network spec in the making: fields filled in, remarks, and what is still open."""

    found: Found
    spec: NetworkSpec
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def set(self, **fields: Any) -> None:
        """Fill fields in; a spec that says otherwise contradicts the weights."""
        for name, value in fields.items():
            given = getattr(self.spec, name)
            if given is not None and given != value:
                raise SpecError(
                    f"network.{name} is {in_words(given)} in the spec, but {in_words(value)} in "
                    "the weights; correct the spec, or choose the checkpoint it belongs to"
                )
        self.spec = self.spec.model_copy(update=fields)

    def ask(self, name: str, why: str, readings: Sequence[Reading] = ()) -> None:
        """Leave a question open."""
        self.questions.append(Question(f"network.{name}", why, tuple(readings)))


def complete(found: Found, spec: NetworkSpec) -> Draft:
    """Combine what the weights decide with what the spec says.

    Raises
    ------
    SpecError
        When the two contradict each other.
    """
    if spec.family == "module":
        raise SpecError(
            "network.family is module in the spec: such a network must be handed over in Python, "
            f"load_model(module, spec=...); for this checkpoint write family: {found.family}"
        )
    draft = Draft(found, spec)
    draft.set(
        family=found.family,
        dim=found.dim,
        depth=found.depth,
        mlp_dim=found.mlp_dim,
        classes=found.classes,
        prefix_tokens=0 if found.family == "simple_vit_3d" else 1,
    )
    _refuse_plane(draft)
    _complete_patch(draft)
    _complete_image(draft)
    _complete_heads(draft)
    if found.family == "simple_vit_3d":
        draft.set(pool="mean")
    elif spec.pool is None:
        readings = (Reading({"pool": "cls"}, "vit-pytorch's default"), Reading({"pool": "mean"}))
        draft.ask("pool", "both readings have the same weights", readings)
    if found.dtype != "float32":
        draft.notes.append(f"weights stored as {found.dtype}, used as float32")
    if spec.patch_order is None:
        draft.set(patch_order="legacy")
        draft.notes.append(WHY_LEGACY)
    else:
        when = f"the order {_BEFORE[spec.patch_order]} vit-pytorch 1.16.2"
        draft.notes.append(f"patch_order {spec.patch_order}, as the spec says: {when}")
    return draft


def _refuse_plane(draft: Draft) -> None:
    """Refuse vit-pytorch's 2D ViT with a final norm, where the spec does not say it is 3D."""
    found, spec = draft.found, draft.spec
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


def _complete_patch(draft: Draft) -> None:
    """Settle channels and patch, as far as the number of values per patch allows."""
    spec, voxels = draft.spec, draft.found.patch_voxels
    readings = [r for r in patch_readings(voxels, spec.channels) if _fits(draft, *r)]
    if not readings:
        raise SpecError(_no_patch(draft))
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


def _fits(draft: Draft, channels: int, patch: Triple) -> bool:
    spec = draft.spec
    if spec.patch not in (None, patch) or spec.channels not in (None, channels):
        return False
    if spec.image_size is None:
        return True
    if any(n % p for n, p in zip(spec.image_size, patch, strict=True)):
        return False
    grid = math.prod(spec.image_size) // math.prod(patch)
    return draft.found.patches in (None, grid)


def _no_patch(draft: Draft) -> str:
    spec, found = draft.spec, draft.found
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


def _complete_image(draft: Draft) -> None:
    """Settle the image size, as far as the number of positions allows."""
    spec, count = draft.spec, draft.found.patches
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


def _complete_heads(draft: Draft) -> None:
    """Settle heads and dim_head, of which the weights give only the product."""
    found, spec = draft.found, draft.spec
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


def build_network(
    state: State, spec: NetworkSpec, name: str = "the checkpoint"
) -> tuple[ViT3D, NetworkSpec, tuple[str, ...]]:
    """Return the network with its weights, its complete spec, and notes on what was decided.

    Raises
    ------
    CheckpointError
        When the weights belong to another kind of network, or are not finite.
    SpecError
        When the spec contradicts the weights or leaves something open.
    """
    state, notes = canonical(state)
    found = read_off(state, name)
    draft = complete(found, spec)
    refuse_open(draft.questions, name)
    with torch.device("meta"):  # no random numbers are drawn, no memory is filled twice
        network = ViT3D(draft.spec, found.layout)
    _check_keys(network, state, name)
    weights = {key: value.to(torch.float32, copy=True) for key, value in state.items()}
    _check_finite(weights, name)
    network.load_state_dict(weights, strict=True, assign=True)
    return network.eval().requires_grad_(False), draft.spec, (*notes, *draft.notes)


def refuse_open(questions: Sequence[Question], name: str) -> None:
    """Raise a `SpecError` that lists what is open, if anything is."""
    if questions:
        listed = "\n".join(f"- {question}" for question in questions)
        raise SpecError(
            f"the weights of {name} do not decide everything; give a preset or a spec, or write "
            f"one to edit with: g3dvit inspect CHECKPOINT --write-spec\n{listed}"
        )


def _check_keys(network: ViT3D, state: State, name: str) -> None:
    """Refuse weights that are missing, superfluous or of another shape, naming some."""
    wanted = network.state_dict()
    wrong = {
        "missing": [key for key in wanted if key not in state],
        "not part of it": [key for key in state if key not in wanted],
        "of another shape": [
            k for k, v in wanted.items() if k in state and v.shape != state[k].shape
        ],
    }
    found = [f"{len(keys)} {what} ({', '.join(keys[:3])})" for what, keys in wrong.items() if keys]
    if found:
        raise CheckpointError(
            f"{name} is close to vit-pytorch's {network.spec.family}, but not it: of its tensors, "
            f"{'; '.join(found)}. Make the network in Python and hand it over: "
            "load_model(module, spec=...) with network.family: module"
        )


def _check_finite(weights: dict[str, Tensor], name: str) -> None:
    broken = [key for key, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(
            f"{name} holds values that are not finite in {len(broken)} tensors ({broken[0]}); the "
            "training diverged or the file is damaged; use an earlier checkpoint"
        )
