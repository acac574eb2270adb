"""Small networks of every kind that is probed, in float64, far from their initial state."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai_networks import INPUT, SIZE, monai_resnet, monai_swin, our_resnet, our_swin, scrambled
from reference_networks import CHANNELS, reference
from reference_networks import SIZE as VIT_SIZE
from torch import Tensor, nn

from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle

IMAGE, PATCH = (12, 20, 6), (4, 5, 3)
CELLS = 24


def probed(network: nn.Module, size: tuple[int, ...] = IMAGE, **known: Any) -> ModelHandle:
    """Return a handle on a network of somebody's own."""
    known = {"channels": 1, "classes": 3, "image_size": size, **known}
    spec = ModelSpec(network=NetworkSpec(family="module", **known), input=INPUT)
    names = tuple(f"class {n}" for n in range(known["classes"]))
    return ModelHandle(network.double().eval(), spec, torch.device("cpu"), names)


def picture(model: ModelHandle, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(model.image_shape, generator=generator).double()


def monai_vit(*, flash: bool = False, **changes: Any) -> nn.Module:
    nets = pytest.importorskip("monai.networks.nets", reason="MONAI is not installed")
    known: dict[str, Any] = {
        "in_channels": 1, "img_size": IMAGE, "patch_size": PATCH, "hidden_size": 24, "mlp_dim": 32,
        "num_layers": 2, "num_heads": 3, "classification": True, "num_classes": 3,
        "dropout_rate": 0.4, "save_attn": True,
    }  # fmt: skip
    network = scrambled(nets.ViT(**{**known, **changes}))
    for block in network.blocks:
        block.attn.use_flash_attention = flash
    return network


class TorchViT(nn.Module):
    """Torch's own encoder, as its documentation puts it together."""

    def __init__(self, *, norm_first: bool, batch_first: bool = True, pool: str = "cls") -> None:
        super().__init__()
        self.batch_first, self.pool = batch_first, pool
        self.patches = nn.Conv3d(1, 24, PATCH, PATCH)
        self.token = nn.Parameter(torch.randn(1, 1, 24))
        self.where = nn.Parameter(torch.randn(1, CELLS + 1, 24))
        layer = nn.TransformerEncoderLayer(
            24, 3, 32, dropout=0.2, batch_first=batch_first, norm_first=norm_first
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(24, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).mT
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.where
        if not self.batch_first:
            x = self.encoder(x.transpose(0, 1)).transpose(0, 1)
        else:
            x = self.encoder(x)
        return self.head(x[:, 0] if self.pool == "cls" else x.mean(1))


class Odd(nn.Module):
    """Three tokens in front, separate layers, cosine scores, a mask, einsum, softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv3d(1, 24, PATCH, PATCH)
        self.front = nn.Parameter(torch.randn(1, 3, 24))
        self.norms = nn.ModuleList(nn.LayerNorm(24) for _ in range(2))
        self.layers = nn.ModuleList(nn.Linear(24, 24) for _ in range(6))
        self.heat = nn.Parameter(torch.rand(3, 1, 1) + 2)
        self.far = nn.Parameter(torch.randn(3, CELLS + 3, CELLS + 3))
        self.late = nn.LayerNorm(24)
        self.head = nn.Linear(24, 3)
        self.weights: list[Tensor] = []
        self.mixed: list[Tensor] = []

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).mT
        x = torch.cat([self.front.expand(len(x), -1, -1), x], dim=1)
        self.weights, self.mixed = [], []
        for block in range(2):
            x = x + self.attend(block, self.norms[block](x))
        return self.head(self.late(x)[:, 3:].mean(1)).softmax(-1)

    def attend(self, block: int, x: Tensor) -> Tensor:
        q, k, v = (layer(x).unflatten(2, (3, 8)) for layer in self.layers[3 * block :][:3])
        q, k = nn.functional.normalize(q, dim=-1), nn.functional.normalize(k, dim=-1)
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k)
        scores = scores * self.heat
        scores += self.far
        hidden = torch.arange(x.shape[1]) % 5 == 4
        scores = scores.masked_fill(hidden, float("-inf"))
        weights = nn.functional.dropout(scores.softmax(dim=-1), 0.3)  # always on: a mistake
        mixed = torch.einsum("bhqk,bkhd->bqhd", weights, v)
        self.weights.append(weights)
        self.mixed.append(mixed)
        return mixed.flatten(2)


class TalkingHeads(Odd):
    """Mixes the weights of its heads, so that they are not simply multiplied with values."""

    def attend(self, block: int, x: Tensor) -> Tensor:
        q, k, v = (layer(x).unflatten(2, (3, 8)) for layer in self.layers[3 * block :][:3])
        weights = torch.einsum("bqhd,bkhd->bhqk", q, k).softmax(-1)
        weights = torch.einsum("bhqk,hg->bgqk", weights, torch.ones(3, 3).to(x) + torch.eye(3))
        return torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(2)


def torch_vit(**options: Any) -> nn.Module:
    torch.manual_seed(4)
    return scrambled(TorchViT(**options))


def odd(kind: type[Odd] = Odd) -> nn.Module:
    torch.manual_seed(4)
    return kind()


def vit_pytorch(family: str, **options: Any) -> ModelHandle:
    return probed(reference(family, **options), VIT_SIZE, channels=CHANNELS, classes=7)


BUILDERS = {
    "MONAI ViT": lambda: probed(monai_vit()),
    "MONAI ViT, fused": lambda: probed(monai_vit(flash=True)),
    "vit_3d": lambda: vit_pytorch("vit_3d"),
    "vit_3d, mean": lambda: vit_pytorch("vit_3d", pool="mean"),
    "simple_vit_3d": lambda: vit_pytorch("simple_vit_3d"),
    "torch": lambda: probed(torch_vit(norm_first=True)),
    "torch, norm last": lambda: probed(torch_vit(norm_first=False)),
    "torch, sequence first": lambda: probed(torch_vit(norm_first=True, batch_first=False)),
    "odd": lambda: probed(odd()),
    "MONAI Swin": lambda: probed(monai_swin(), SIZE),
    "MONAI Swin, checkpointed": lambda: probed(monai_swin(use_checkpoint=True), SIZE),
    "our Swin": lambda: probed(our_swin(), SIZE),
    "MONAI ResNet": lambda: probed(monai_resnet(), SIZE),
    "our ResNet": lambda: probed(our_resnet(), SIZE),
}
GLOBAL = [name for name in BUILDERS if "Swin" not in name and "ResNet" not in name]
SWIN = [name for name in BUILDERS if "Swin" in name]
RESNET = [name for name in BUILDERS if "ResNet" in name]
