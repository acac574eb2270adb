"""Tiny networks of MONAI, and our own of the same sizes, to compare one with the other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.models.networks.resnet3d import ResNet3D, ResNetLayout
from g3dvit_napari.models.networks.swin3d import Swin3D, SwinLayout

INPUT = InputSpec(orientation="RAS", intensity="none", tensor_axes="xyz")
SIZE, PATCH, WINDOW = (17, 22, 13), (2, 3, 2), (4, 3, 2)  # of which nothing divides anything
DIM, DEPTHS, HEADS = 8, (2, 2, 1, 2), (2, 1, 4, 2)
BLOCKS, WIDTHS, KERNEL = (1, 2, 1, 1), (4, 6, 8, 10), (5, 3, 7)


class SwinClassifier(nn.Module):
    """MONAI's encoder with a norm and a head, as one would write it."""

    def __init__(self, encoder: nn.Module, *, norm: bool = True) -> None:
        super().__init__()
        self.swin = encoder
        width = DIM * 16  # merged behind every stage, the last one too
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.head = nn.Linear(width, 3)
        self.normalize = not norm

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.swin(image, self.normalize)[-1].flatten(2).mT
        return self.head(self.norm(tokens).mean(1))


def monai_swin(*, norm: bool = True, **changes: Any) -> nn.Module:
    nets = pytest.importorskip("monai.networks.nets.swin_unetr", reason="MONAI is not installed")
    known: dict[str, Any] = {
        "in_chans": 1, "embed_dim": DIM, "window_size": WINDOW, "patch_size": PATCH,
        "depths": DEPTHS, "num_heads": HEADS, "mlp_ratio": 3.0,
    }  # fmt: skip
    return scrambled(SwinClassifier(nets.SwinTransformer(**{**known, **changes}), norm=norm))


def monai_resnet(block: str = "basic", **changes: Any) -> nn.Module:
    nets = pytest.importorskip("monai.networks.nets.resnet", reason="MONAI is not installed")
    known: dict[str, Any] = {
        "layers": list(BLOCKS), "block_inplanes": list(WIDTHS), "n_input_channels": 1,
        "conv1_t_size": KERNEL, "num_classes": 3,
    }  # fmt: skip
    return scrambled(nets.ResNet(block, **{**known, **changes}))


def scrambled(network: nn.Module) -> nn.Module:
    """Return the network with random weights and running statistics."""
    random = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                noise = torch.randn(value.shape, generator=random)
                plain = value.ndim == 1 and name.endswith("weight")
                value.copy_(noise.abs() + 0.5 if "var" in name else 0.3 * noise + plain)
    return network.eval()


def swin_spec(**changes: Any) -> ModelSpec:
    known = {"image_size": SIZE, "merging": "mergingv2"}
    return ModelSpec(network=NetworkSpec(**{**known, **changes}), input=INPUT)


def resnet_spec(**changes: Any) -> ModelSpec:
    known = {"image_size": SIZE, "stride": (2, 1, 2), "max_pool": True}
    return ModelSpec(network=NetworkSpec(**{**known, **changes}), input=INPUT)


def our_swin(layout: SwinLayout | None = None, **changes: Any) -> Swin3D:
    """Return our own network, for tests that need no reference."""
    known = {
        "family": "swin_3d", "channels": 1, "classes": 3, "dim": DIM, "mlp_dim": 3 * DIM,
        "patch": PATCH, "window": WINDOW, "merging": "mergingv2",
    }  # fmt: skip
    spec = NetworkSpec(**{**known, **changes})
    return scrambled(Swin3D(spec, layout or SwinLayout(DEPTHS, HEADS)))  # type: ignore[return-value]


def our_resnet(layout: ResNetLayout | None = None, **changes: Any) -> ResNet3D:
    known = {"family": "resnet_3d", "channels": 1, "classes": 3, "stride": (2, 1, 2),
             "max_pool": True}  # fmt: skip
    spec = NetworkSpec(**{**known, **changes})
    layout = layout or ResNetLayout(BLOCKS, WIDTHS, kernel=KERNEL)
    return scrambled(ResNet3D(spec, layout))  # type: ignore[return-value]


def scan(batch: int = 2, size: tuple[int, ...] = SIZE, channels: int = 1) -> Tensor:
    return torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(3))


def difference(ours: nn.Module, theirs: nn.Module, image: Tensor) -> float:
    """The largest difference of the logits, relative to the largest logit."""
    with torch.no_grad():
        found, expected = ours(image), theirs(image)
    return ((found - expected).abs().max() / expected.abs().max()).item()


def merged_by_hand(x: Tensor, order: list[tuple[int, int, int]]) -> Tensor:
    """Gather the neighbours (f h w c) of every second voxel, one by one."""
    f, h, w, c = x.shape
    x = F.pad(x, (0, 0, 0, 1, 0, 1, 0, 1))
    out = x.new_zeros(-(-f // 2), -(-h // 2), -(-w // 2), 8 * c)
    for i, j, k in torch.cartesian_prod(*map(torch.arange, out.shape[:3])).tolist():
        for place, (df, dh, dw) in enumerate(order):
            out[i, j, k, place * c : (place + 1) * c] = x[2 * i + df, 2 * j + dh, 2 * k + dw]
    return out
