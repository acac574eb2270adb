"""State dicts: the small questions all families ask, and the refusal of unknown ones by name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from g3dvit_napari.core.errors import CheckpointError

State = Mapping[str, Tensor]

OWN_MODULE = (
    "Built from a file are vit-pytorch's vit_3d and simple_vit_3d, and MONAI's SwinTransformer and "
    "ResNet in 3D with a classifying layer; any other network can be made in Python and handed "
    "over: load_model(module, spec=...) with network.family: module"
)

# Keys that give other architectures away, the most telling first.
_OTHERS = (
    (r"relative_position_bias_table", "a Swin Transformer, but not MONAI's in 3D"),
    (r"patch_embedding\.position_embeddings|blocks\.\d+\.attn\.out_proj", "a MONAI ViT"),
    (r"(spatial|temporal)_transformer\.", "a ViViT (space and time factorised)"),
    (r"embeddings\.patch_embeddings\.projection", "a ViT of Hugging Face transformers"),
    (r"encoder_layer_\d+\.self_attention", "a 2D ViT of torchvision"),
    (r"patch_embed\.proj\.weight", "a ViT of timm"),
    (r"dense(block|layer)\d", "a DenseNet"),
    (r"layer[1-4]\.\d+\.(conv1|bn1)\.", "a ResNet, but not MONAI's in 3D"),
    (r"to_qkv|transformer\.layers\.", "another network of vit-pytorch"),
    (r"attn|attention", "another transformer"),
    (r"conv|bn\d|running_mean", "a convolutional network"),
)


def stranger(state: State, name: str) -> CheckpointError:
    """Return the error that says which other network a state dict seems to be."""
    keys = "\n".join(state)
    kind = next(
        (kind for pattern, kind in _OTHERS if re.search(pattern, keys)), "no network that is known"
    )
    first = ", ".join(list(state)[:3])
    return CheckpointError(f"{name} looks like {kind} (keys {first}, …). {OWN_MODULE}")


def numbers_in(state: State, pattern: str) -> int:
    """Return how many parts are numbered 0, 1, 2 ... under a pattern with one group."""
    numbers = {int(match[1]) for key in state if (match := re.match(pattern, key))}
    return max(numbers, default=-1) + 1


def dtype_of(tensor: Tensor) -> str:
    """Return the number format of a tensor, such as "float16"."""
    return str(tensor.dtype).removeprefix("torch.")
