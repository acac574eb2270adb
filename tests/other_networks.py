"""Small networks that are no ViT3D, with odd sizes, in float32, far from their initial state."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.resnet3d import ResNet3D, ResNetLayout
from g3dvit_napari.models.networks.swin3d import Swin3D, SwinLayout
from g3dvit_napari.models.reading.loading import module_handle

INPUT = InputSpec(orientation="RAS", intensity="none", tensor_axes="xyz")
NAMES = ("a", "b", "c")


class TokenMixer(nn.Module):
    """A ViT that somebody wrote in an afternoon: explicit attention, names of its own, mean."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv3d(1, 24, (4, 5, 3), stride=(4, 5, 3))
        self.where = nn.Parameter(torch.zeros(1, 24, 24))
        self.calm = nn.ModuleList(nn.LayerNorm(24) for _ in range(4))
        self.look = nn.ModuleList(nn.Linear(24, 72) for _ in range(2))
        self.back = nn.ModuleList(nn.Linear(24, 24) for _ in range(2))
        self.think = nn.ModuleList(
            nn.Sequential(nn.Linear(24, 40), nn.GELU(), nn.Linear(40, 24)) for _ in range(2)
        )
        self.say = nn.Linear(24, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.cut(image).flatten(2).transpose(1, 2) + self.where
        for n in range(2):
            x = x + self.attend(n, self.calm[2 * n](x))
            x = x + self.think[n](self.calm[2 * n + 1](x))
        return self.say(x.mean(dim=1))

    def attend(self, n: int, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(2, (3, 8)).transpose(1, 2) for part in self.look[n](x).chunk(3, dim=-1)
        )
        weights = F.softmax(q @ k.transpose(-2, -1) / 8**0.5, dim=-1)
        return self.back[n]((weights @ v).transpose(1, 2).flatten(2))


def made(network: nn.Module, spec: NetworkSpec) -> ModelHandle:
    """Return the handle of a network as a Python user gets it."""
    roughen(network)
    return module_handle(network.eval(), ModelSpec(network=spec, input=INPUT, class_names=NAMES))


def roughen(network: nn.Module) -> None:
    """Move weights, norms and running statistics away from where they start."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.5)
            elif name.endswith("weight"):
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
            else:
                parameter.normal_(0, 0.1, generator=generator)


def swin() -> ModelHandle:
    torch.manual_seed(5)
    spec = NetworkSpec(
        family="swin_3d", image_size=(13, 20, 10), patch=(2, 2, 2), channels=1, classes=3, dim=12,
        mlp_dim=24, window=(3, 4, 2), merging="mergingv2",
    )  # fmt: skip
    return made(Swin3D(spec, SwinLayout(depths=(2, 2), heads=(2, 4), last_merge=False)), spec)


def resnet() -> ModelHandle:
    torch.manual_seed(5)
    spec = NetworkSpec(
        family="resnet_3d", image_size=(25, 32, 20), patch=(2, 2, 2), channels=1, classes=3,
        stride=(2, 2, 2), max_pool=False,
    )  # fmt: skip
    layout = ResNetLayout(blocks=(1, 1, 1), widths=(6, 8, 12))
    return made(ResNet3D(spec, layout), spec)


def mixer() -> ModelHandle:
    torch.manual_seed(5)
    spec = NetworkSpec(
        family="module", image_size=(12, 20, 6), patch=(4, 5, 3), channels=1, classes=3,
        prefix_tokens=0,
    )  # fmt: skip
    return made(TokenMixer(), spec)


OTHERS = {"swin": swin, "resnet": resnet, "a ViT of somebody's own": mixer}
