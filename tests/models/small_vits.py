"""Small networks of each kind, far from their initial state, and pictures for them."""

from __future__ import annotations

import torch
from rough_networks import roughen
from torch import Tensor

from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D

KINDS = {
    "class token": ("vit_3d", "cls", 1),
    "mean": ("vit_3d", "mean", 1),
    "simple": ("simple_vit_3d", "mean", 0),
}


def build(kind: str = "class token", dtype: torch.dtype = torch.float64) -> ModelHandle:
    family, pool, prefix = KINDS[kind]
    spec = NetworkSpec(
        family=family, pool=pool, prefix_tokens=prefix, image_size=(8, 10, 6), patch=(4, 5, 3),
        channels=2, classes=4, dim=24, depth=3, heads=3, dim_head=8, mlp_dim=32,
        patch_order="new",
    )  # fmt: skip
    torch.manual_seed(3)
    simple = kind == "simple"
    network = ViT3D(spec, Layout(final_norm=simple, head_norm=not simple))
    roughen(network)
    network.to(dtype)
    return ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), tuple("abcd"))


def pictures(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(count, 2, 8, 10, 6, generator=generator, dtype=torch.float64)
