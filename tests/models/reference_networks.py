"""Tiny networks of vit-pytorch, read by path, and its older layout, to compare ours with."""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from einops.layers.torch import Rearrange
from torch import Tensor, nn

from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D

SIZE, PATCH, CHANNELS = (10, 12, 8), (2, 3, 4), 2
INPUT = InputSpec(orientation="RAS", intensity="none", tensor_axes="xyz")


def reference(family: str, **changes: Any) -> nn.Module:
    """Return a ViT or SimpleViT of vit-pytorch, its parameters far from their start values."""
    path = Path(sysconfig.get_path("purelib")) / "vit_pytorch" / f"{family}.py"
    if not path.is_file():
        pytest.skip("vit-pytorch is not installed")
    spec = importlib.util.spec_from_file_location(f"reference_{family}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings: dict[str, Any] = {
        "frames": SIZE[0],
        "image_size": SIZE[1:],
        "frame_patch_size": PATCH[0],
        "image_patch_size": PATCH[1:],
        "channels": CHANNELS,
        "num_classes": 7,
        "dim": 48,
        "depth": 2,
        "heads": 3,
        "dim_head": 5,
        "mlp_dim": 31,
    }
    settings.update(changes)
    return scrambled((module.ViT if family == "vit_3d" else module.SimpleViT)(**settings))


def scrambled(network: nn.Module) -> nn.Module:
    """Return the network with random weights, layer norms included."""
    random = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=random)
            parameter.copy_(0.3 * noise + (parameter.ndim == 1))
    return network.eval()


def tiny(family: str = "vit_3d", **changes: Any) -> ViT3D:
    """Return our own network of the same sizes, for tests that need no reference."""
    known = {
        "family": family, "image_size": SIZE, "patch": PATCH, "channels": CHANNELS, "classes": 7,
        "dim": 48, "depth": 2, "heads": 3, "dim_head": 5, "mlp_dim": 31, "prefix_tokens": 1,
        "pool": "cls", "patch_order": "new",
    }  # fmt: skip
    if family == "simple_vit_3d":
        known.update(pool="mean", prefix_tokens=0)
    simple = family == "simple_vit_3d"
    layout = Layout(final_norm=simple, head_norm=not simple)
    return cast(ViT3D, scrambled(ViT3D(NetworkSpec(**{**known, **changes}), layout)))


def some_image(batch: int = 2, channels: int = CHANNELS, size: tuple[int, ...] = SIZE) -> Tensor:
    return torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(3))


def full_spec(**network: Any) -> ModelSpec:
    known = {"image_size": SIZE, "patch": PATCH, "heads": 3, "pool": "cls", "patch_order": "new"}
    return ModelSpec(network=NetworkSpec(**{**known, **network}), input=INPUT)


def relative_error(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


class _PreNorm(nn.Module):
    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        return self.fn(self.norm(x))


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int, width: int) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.to_qkv = nn.Linear(dim, 3 * heads * width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(heads * width, dim), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        b, n, _ = x.shape
        q, k, v = self.to_qkv(x).reshape(b, n, 3, self.heads, self.width).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / self.width**0.5).softmax(-1)
        return self.to_out((weights @ v).transpose(1, 2).reshape(b, n, -1))


class OlderViT(nn.Module):
    """The 3D ViT as it was before August 2023; before February 2023 also without patch norms."""

    def __init__(self, *, patch_norm: bool, dim: int = 48, depth: int = 2) -> None:
        super().__init__()
        f, h, w = (n // p for n, p in zip(SIZE, PATCH, strict=True))
        pf, ph, pw = PATCH
        voxels = pf * ph * pw * CHANNELS
        pattern = "b c (f pf) (h p1) (w p2) -> b (f h w) (p1 p2 pf c)"
        layers: list[nn.Module] = [Rearrange(pattern, pf=pf, p1=ph, p2=pw), nn.Linear(voxels, dim)]
        if patch_norm:
            layers.insert(1, nn.LayerNorm(voxels))
            layers.append(nn.LayerNorm(dim))
        self.to_patch_embedding = nn.Sequential(*layers)
        self.pos_embedding = nn.Parameter(torch.zeros(1, f * h * w + 1, dim))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    _PreNorm(dim, _Attention(dim, 3, 5)),
                    _PreNorm(dim, _feed_forward(dim, 31)),
                ]
            )
            for _ in range(depth)
        )
        self.pool = "cls"
        self.mlp_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 7))

    def forward(self, image: Tensor) -> Tensor:
        x = self.to_patch_embedding(image)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embedding
        for attention, feed_forward in self.transformer.layers:
            x = attention(x) + x
            x = feed_forward(x) + x
        return self.mlp_head(x[:, 0])


def _feed_forward(dim: int, hidden: int) -> nn.Module:
    wrapper = nn.Module()
    layers = [nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, dim)]
    wrapper.net = nn.Sequential(*layers, nn.Dropout(0.1))
    wrapper.forward = wrapper.net.forward  # type: ignore[method-assign]
    return wrapper
