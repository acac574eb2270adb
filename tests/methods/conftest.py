"""Small networks far from their initial, flat state: g3dvit's map would be rounding noise there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from rough_networks import roughen
from torch import Tensor

from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D

Build = Callable[..., ModelHandle]
KINDS = {
    "class token": ("vit_3d", "cls", 1),
    "mean": ("vit_3d", "mean", 1),
    "simple": ("simple_vit_3d", "mean", 0),
}


@pytest.fixture
def build() -> Build:
    return _build


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 2, 12, 20, 9, generator=torch.Generator().manual_seed(4)).double()


def _build(
    kind: str = "class token", *, spread: float = 0.5, double: bool = True, **sizes: int
) -> ModelHandle:
    """`spread`: how far the norms' weights are from one and their biases from zero."""
    family, pool, prefix = KINDS[kind]
    fields: dict[str, Any] = {"dim": 48, "depth": 2, "heads": 3, "dim_head": 8, "mlp_dim": 32}
    spec = NetworkSpec(
        family=family, pool=pool, prefix_tokens=prefix, image_size=(12, 20, 9), patch=(4, 5, 3),
        channels=2, classes=4, patch_order="new", **{**fields, **sizes},
    )  # fmt: skip
    torch.manual_seed(3)
    simple = kind == "simple"
    network = ViT3D(spec, Layout(final_norm=simple, head_norm=not simple))
    roughen(network, spread)
    network.to(torch.float64 if double else torch.float32)
    return ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), tuple("abcd"))
