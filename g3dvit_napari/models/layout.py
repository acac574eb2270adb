"""What a state dict's keys and shapes say: older layouts brought to one, sizes read off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from g3dvit_napari.core.errors import CheckpointError
from g3dvit_napari.models.vit3d import Layout

State = Mapping[str, Tensor]

# Keys that give other architectures away, the most telling first.
_OTHERS = (
    (r"relative_position_bias_table", "a Swin Transformer"),
    (r"patch_embedding\.position_embeddings|blocks\.\d+\.attn\.out_proj", "a MONAI ViT"),
    (r"(spatial|temporal)_transformer\.", "a ViViT (space and time factorised)"),
    (r"embeddings\.patch_embeddings\.projection", "a ViT of Hugging Face transformers"),
    (r"encoder_layer_\d+\.self_attention", "a 2D ViT of torchvision"),
    (r"patch_embed\.proj\.weight", "a ViT of timm"),
    (r"dense(block|layer)\d", "a DenseNet"),
    (r"layer[1-4]\.\d+\.(conv1|bn1)\.", "a ResNet"),
    (r"to_qkv|transformer\.layers\.", "another network of vit-pytorch"),
    (r"attn|attention", "another transformer"),
    (r"conv|bn\d|running_mean", "a convolutional network"),
)


@dataclass(frozen=True)
class Found:
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


def read_off(state: State, name: str) -> Found:
    """Return what a canonical state dict decides, or say which other network it is."""
    simple = "cls_token" not in state
    head = "linear_head" if simple else "mlp_head"
    head_norm = f"{head}.0.weight" in state
    classify = f"{head}.1.weight" if head_norm else f"{head}.weight"
    first = "transformer.layers.0."
    hidden, out = f"{first}1.net.1.weight", f"{first}0.to_out.{'' if simple else '0.'}weight"
    _refuse_others(state, name, [f"{first}0.to_qkv.weight", hidden, "to_patch_embedding.2.weight"])
    _refuse_flat(state, name)
    if classify not in state:
        raise CheckpointError(
            f"{name} has no classifying layer ({classify}); it is an encoder or has another head. "
            f"{OWN_MODULE}"
        )
    dim, patch_voxels = state["to_patch_embedding.2.weight"].shape
    numbers = {int(m[1]) for k in state if (m := re.match(r"transformer\.layers\.(\d+)\.", k))}
    return Found(
        family="simple_vit_3d" if simple else "vit_3d",
        layout=Layout(
            patch_norm="to_patch_embedding.1.weight" in state,
            final_norm="transformer.norm.weight" in state,
            head_norm=head_norm,
        ),
        dim=dim,
        depth=max(numbers) + 1,
        mlp_dim=state[hidden].shape[0],
        classes=state[classify].shape[0],
        inner=state[f"{first}0.to_qkv.weight"].shape[0] // 3,
        single_head=not simple and out not in state,
        patch_voxels=patch_voxels,
        patches=None if simple else state["pos_embedding"].shape[1] - 1,
        dtype=str(state[classify].dtype).removeprefix("torch."),
    )


OWN_MODULE = (
    "Only vit-pytorch's vit_3d and simple_vit_3d are built from a file; any other network can be "
    "made in Python and handed over: load_model(module, spec=...) with network.family: module"
)


def _refuse_others(state: State, name: str, needed: list[str]) -> None:
    if all(key in state and state[key].ndim == 2 for key in needed):
        return
    keys = "\n".join(state)
    kind = next((kind for pattern, kind in _OTHERS if re.search(pattern, keys)), "no ViT")
    first = ", ".join(list(state)[:3])
    raise CheckpointError(f"{name} looks like {kind} (keys {first}, …). {OWN_MODULE}")


def _refuse_flat(state: State, name: str) -> None:
    """Refuse vit-pytorch's newer 2D ViT, whose positions (n, d) have no batch axis."""
    positions = state.get("pos_embedding")
    if "cls_token" in state and (positions is None or positions.ndim != 3):
        shape = None if positions is None else tuple(positions.shape)
        raise CheckpointError(
            f"{name} looks like a 2D ViT of vit-pytorch (pos_embedding {shape}; a 3D one has "
            f"(1, tokens, width)). {OWN_MODULE}"
        )
