"""What the keys and shapes of MONAI's Swin Transformer say, and what they leave open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from g3dvit_napari.core.errors import CheckpointError, SpecError
from g3dvit_napari.core.spec import Triple
from g3dvit_napari.models.networks.swin3d import SwinLayout, relative_index
from g3dvit_napari.models.reading.draft import Draft
from g3dvit_napari.models.reading.readings import Reading, in_words, is_cube, triples
from g3dvit_napari.models.reading.strangers import OWN_MODULE, State, dtype_of, numbers_in

PATCHES = "patch_embed.proj.weight"
FIRST = "layers1.0.blocks.0."
TABLE = f"{FIRST}attn.relative_position_bias_table"
INDEX = f"{FIRST}attn.relative_position_index"
_ENCODER = re.compile(r"(?:patch_embed|layers\d)\.")
_HEAD = re.compile(r"^(?:fc|classifier)\.(weight|bias)$")

_ORDERS = (
    Reading({"merging": "mergingv2"}, 'downsample="mergingv2"'),
    Reading({"merging": "merging"}, "MONAI's default, since 1.5"),
    Reading({"merging": "merging-legacy"}, "MONAI's default before 1.5"),
)
NO_NORM = (
    "there is no norm in front of the head: tokens are normalised without weights, as MONAI's "
    "encoder does unless it is called with normalize=False"
)


@dataclass(frozen=True)
class SwinFound:
    """What the weights decide."""

    layout: SwinLayout
    dim: int
    mlp_dim: int
    channels: int
    patch: Triple
    windows: tuple[Triple, ...]  # all that fit the bias table
    classes: int
    dtype: str
    family: Literal["swin_3d"] = "swin_3d"

    def words(self) -> dict[str, Any]:
        """Return what was found, as rows of a table."""
        return {
            "family": self.family,
            "patch": in_words(self.patch),
            "dim": self.dim,
            "blocks": " + ".join(map(str, self.layout.depths)),
            "heads": ", ".join(map(str, self.layout.heads)),
            "window": " or ".join(map(in_words, self.windows)),
            "mlp_dim": self.mlp_dim,
            "channels": self.channels,
            "classes": self.classes,
            "stored as": self.dtype,
        }


def recognises(state: State) -> bool:
    """Whether a canonical state dict is that of MONAI's Swin Transformer in 3D."""
    return TABLE in state and PATCHES in state and state[PATCHES].ndim == 5


def canonical(state: State) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Take off the name of the encoder inside a classifier, and use today's names."""
    ending = f"{FIRST}attn.qkv.weight"
    encoder = next((k.removesuffix(ending) for k in state if k.endswith(ending)), "")
    renamed = {_renamed(key, encoder): value for key, value in state.items()}
    if len(renamed) < len(state):  # two keys would become one
        return dict(state), ()
    if not encoder:
        return renamed, ()
    note = f"encoder {encoder!r} and a head beside it, read as: norm, mean over all tokens, head"
    return renamed, (note,)


def _renamed(key: str, encoder: str) -> str:
    rest = key.removeprefix(encoder)
    key = rest if _ENCODER.match(rest) else key
    return re.sub(r"\.mlp\.fc([12])\.", r".mlp.linear\1.", _HEAD.sub(r"head.\1", key))


def read_off(state: State, name: str) -> SwinFound:
    """Return what a canonical state dict decides."""
    if "head.weight" not in state:
        raise CheckpointError(
            f"{name} has no classifying layer (head.weight); it is an encoder, part of a SwinUNETR "
            f"or has another head. {OWN_MODULE}"
        )
    stages = numbers_in(state, r"layers(\d+)\.") - 1  # counted from 1
    tables = [f"layers{n}.0.blocks.0.{TABLE.removeprefix(FIRST)}" for n in range(1, stages + 1)]
    dim, channels, *patch = state[PATCHES].shape
    return SwinFound(
        layout=SwinLayout(
            depths=tuple(
                numbers_in(state, rf"layers{n}\.0\.blocks\.(\d+)\.") for n in range(1, stages + 1)
            ),
            heads=tuple(state[table].shape[1] for table in tables if table in state),
            qkv_bias=f"{FIRST}attn.qkv.bias" in state,
            patch_norm="patch_embed.norm.weight" in state,
            last_merge=f"layers{stages}.0.downsample.reduction.weight" in state,
            norm_weights="norm.weight" in state,
        ),
        dim=dim,
        mlp_dim=state[f"{FIRST}mlp.linear1.weight"].shape[0],
        channels=channels,
        patch=(patch[0], patch[1], patch[2]),
        windows=tuple(_windows(state)),
        classes=state["head.weight"].shape[0],
        dtype=dtype_of(state["head.weight"]),
    )


def _windows(state: State) -> list[Triple]:
    """Return the windows whose bias table has that many rows and whose index is the stored one."""
    rows = state[TABLE].shape[0]
    fitting = [((f + 1) // 2, (h + 1) // 2, (w + 1) // 2) for f, h, w in triples(rows)]
    fitting = [t for t in fitting if (2 * t[0] - 1) * (2 * t[1] - 1) * (2 * t[2] - 1) == rows]
    stored = state.get(INDEX)
    if stored is None:
        return fitting
    as_large = [t for t in fitting if t[0] * t[1] * t[2] == len(stored)]
    return [t for t in as_large if torch.equal(relative_index(t), stored.long())] or fitting


def settle_swin(draft: Draft, found: SwinFound) -> None:
    """Fill in what the weights decide, and ask for the rest."""
    draft.set(
        dim=found.dim,
        mlp_dim=found.mlp_dim,
        depth=sum(found.layout.depths),
        channels=found.channels,
        patch=found.patch,
        pool="mean",
        prefix_tokens=0,
    )
    _complete_window(draft, found)
    merges = found.layout.last_merge or len(found.layout.depths) > 1
    if merges and draft.spec.merging is None:
        draft.ask("merging", "the order of merged neighbours leaves no trace in weights", _ORDERS)
    if draft.spec.image_size is None:
        draft.ask("image_size", "windows are laid over any grid, so any size fits the weights")
    if not found.layout.norm_weights:
        draft.notes.append(NO_NORM)


def _complete_window(draft: Draft, found: SwinFound) -> None:
    """Settle the window: the bias table gives a product, the stored index usually the rest."""
    given = draft.spec.window
    cubes = [window for window in found.windows if is_cube(window)]
    if given is not None:
        if given not in found.windows:
            listed = ", ".join(map(in_words, found.windows[:4])) or "none"
            raise SpecError(
                f"network.window is {in_words(given)} in the spec, but the table of relative "
                f"positions fits {listed}; correct the spec"
            )
    elif len(found.windows) == 1:
        draft.set(window=found.windows[0])
    elif cubes:
        draft.set(window=cubes[0])
        draft.notes.append(f"window {in_words(cubes[0])}: the only cube that fits the bias table")
    else:
        readings = [Reading({"window": window}) for window in found.windows]
        draft.ask("window", "the table of relative positions can be read as", readings)
