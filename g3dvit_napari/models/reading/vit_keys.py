"""What the keys and shapes of a ViT of vit-pytorch say; older layouts are brought to one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from g3dvit_napari.core.errors import CheckpointError
from g3dvit_napari.models.networks.vit3d import Layout
from g3dvit_napari.models.reading.strangers import OWN_MODULE, State, dtype_of, numbers_in

FIRST = "transformer.layers.0."
HIDDEN = f"{FIRST}1.net.1.weight"
PROJECTION = "to_patch_embedding.2.weight"


@dataclass(frozen=True)
class ViTFound:
    """What the weights decide."""

    family: Literal["vit_3d", "simple_vit_3d"]
    layout: Layout
    dim: int
    depth: int
    mlp_dim: int
    classes: int
    inner: int  # heads * dim_head
    single_head: bool  # no projection after the attention: one head as wide as the tokens
    patch_voxels: int  # voxels of a patch * channels
    patches: int | None  # None: the positions are computed, not stored
    dtype: str

    def words(self) -> dict[str, Any]:
        """Return what was found, as rows of a table."""
        return {
            "family": self.family,
            "dim": self.dim,
            "depth": self.depth,
            "mlp_dim": self.mlp_dim,
            "classes": self.classes,
            "heads × dim_head": self.inner,
            "values per patch": self.patch_voxels,
            "patches": self.patches,
            "stored as": self.dtype,
        }


def canonical(state: State) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Rename the keys of older layouts; return them with notes on what was found.

    PreNorm wrappers (before August 2023) keep the norm beside `fn`; patch embeddings without
    layer norms (before February 2023) have the projection at index 1.
    """
    notes = []
    if any(".fn." in key for key in state):
        notes.append("older layout: layer norms in PreNorm wrappers")
        state = {_without_wrapper(key): value for key, value in state.items()}
    first = state.get("to_patch_embedding.1.weight")
    if first is not None and first.ndim == 2:
        notes.append("older layout: no layer norms in the patch embedding")
        embedding = "to_patch_embedding."
        state = {k.replace(f"{embedding}1.", f"{embedding}2."): v for k, v in state.items()}
    return dict(state), tuple(notes)


def _without_wrapper(key: str) -> str:
    """Turn `layers.0.0.fn.to_qkv` into `layers.0.0.to_qkv`, `1.norm` and `1.fn.net.0` into `1.net`.

    The feed-forward norm joins the sequence as its first layer, so the others move by one.
    """
    key = re.sub(r"(layers\.\d+\.1\.)norm\.", r"\g<1>net.0.", key)
    key = re.sub(r"(layers\.\d+\.1\.)fn\.net\.(\d+)", lambda m: f"{m[1]}net.{int(m[2]) + 1}", key)
    return re.sub(r"(layers\.\d+\.0\.)fn\.", r"\g<1>", key)


def recognises(state: State) -> bool:
    """Whether a canonical state dict is that of a ViT of vit-pytorch."""
    needed = (f"{FIRST}0.to_qkv.weight", HIDDEN, PROJECTION)
    return all(key in state and state[key].ndim == 2 for key in needed)


def read_off(state: State, name: str) -> ViTFound:
    """Return what a canonical state dict decides."""
    simple = "cls_token" not in state
    head = "linear_head" if simple else "mlp_head"
    head_norm = f"{head}.0.weight" in state
    classify = f"{head}.1.weight" if head_norm else f"{head}.weight"
    out = f"{FIRST}0.to_out.{'' if simple else '0.'}weight"
    _refuse_flat(state, name)
    if classify not in state:
        raise CheckpointError(
            f"{name} has no classifying layer ({classify}); it is an encoder or has another head. "
            f"{OWN_MODULE}"
        )
    dim, patch_voxels = state[PROJECTION].shape
    return ViTFound(
        family="simple_vit_3d" if simple else "vit_3d",
        layout=Layout(
            patch_norm="to_patch_embedding.1.weight" in state,
            final_norm="transformer.norm.weight" in state,
            head_norm=head_norm,
        ),
        dim=dim,
        depth=numbers_in(state, r"transformer\.layers\.(\d+)\."),
        mlp_dim=state[HIDDEN].shape[0],
        classes=state[classify].shape[0],
        inner=state[f"{FIRST}0.to_qkv.weight"].shape[0] // 3,
        single_head=not simple and out not in state,
        patch_voxels=patch_voxels,
        patches=None if simple else state["pos_embedding"].shape[1] - 1,
        dtype=dtype_of(state[classify]),
    )


def _refuse_flat(state: State, name: str) -> None:
    """Refuse vit-pytorch's newer 2D ViT, whose positions (n, d) have no batch axis."""
    positions = state.get("pos_embedding")
    if "cls_token" in state and (positions is None or positions.ndim != 3):
        shape = None if positions is None else tuple(positions.shape)
        raise CheckpointError(
            f"{name} looks like a 2D ViT of vit-pytorch (pos_embedding {shape}; a 3D one has "
            f"(1, tokens, width)). {OWN_MODULE}"
        )
