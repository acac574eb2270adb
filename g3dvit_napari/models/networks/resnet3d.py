"""The 3D ResNet classifier, key for key as MONAI's `ResNet`.

Tensors: image and features (b c f h w).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.spec import NetworkSpec, Triple

EXPANSION = 4  # of the width at the end of a bottleneck


@dataclass(frozen=True)
class ResNetLayout:
    """What the keys and shapes of a checkpoint decide and a spec does not hold.

    blocks, widths
        Residual blocks and their channels, for every stage.
    kernel
        Edges of the first convolution.
    projected, shortcut_bias
        Whether a changing shortcut is a convolution (else: strided and padded with zero channels),
        and whether that has a bias.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    bottleneck: bool = False
    kernel: Triple = (7, 7, 7)
    projected: bool = True
    shortcut_bias: bool = True


class ZeroPadded(nn.Module):
    """A shortcut without weights: every second voxel, and zeros for the channels there are not."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.width, self.stride = width, stride

    def forward(self, x: Tensor) -> Tensor:
        """Map features (b c f h w) to strided ones of more channels."""
        x = x[:, :, :: self.stride, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, 0, 0, self.width - x.shape[1]))


class BasicBlock(nn.Module):
    """Two 3 x 3 x 3 convolutions with a residual."""

    def __init__(self, inner: int, width: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inner, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.act = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv3d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map features (b c f h w) to features."""
        out = self.act(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.downsample(x)
        return cast(Tensor, self.act(out))


class Bottleneck(nn.Module):
    """A 3 x 3 x 3 convolution between two of one voxel, with a residual."""

    def __init__(self, inner: int, width: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inner, width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, EXPANSION * width, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(EXPANSION * width)
        self.act = nn.ReLU(inplace=True)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map features (b c f h w) to features."""
        out = self.act(self.bn1(self.conv1(x)))
        out = self.act(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += self.downsample(x)
        return cast(Tensor, self.act(out))


class ResNet3D(nn.Module):
    """A 3D ResNet classifier: first convolution, stages, mean over all voxels, linear layer.

    Parameters
    ----------
    spec
        Network spec with channels, classes, stride and max_pool.
    layout
        Stages, kernel and kind of shortcut.
    """

    def __init__(self, spec: NetworkSpec, layout: ResNetLayout) -> None:
        super().__init__()
        assert spec.stride is not None  # completed by models.reading.infer
        first, (f, h, w) = layout.widths[0], layout.kernel
        self.spec = spec
        self.conv1 = nn.Conv3d(
            cast(int, spec.channels),
            first,
            layout.kernel,
            spec.stride,
            padding=(f // 2, h // 2, w // 2),
            bias=False,
        )
        self.bn1 = nn.BatchNorm3d(first)
        self.act = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool3d(3, stride=2, padding=1) if spec.max_pool else nn.Identity()
        inner = first
        for number, width in enumerate(layout.widths):
            self.add_module(f"layer{number + 1}", _stage(layout, number, inner))
            inner = _out_width(layout, width)
        self.fc = nn.Linear(inner, cast(int, spec.classes))

    @property
    def stages(self) -> list[nn.Sequential]:
        """The stages, first to last."""
        parts = self.named_children()
        return [cast(nn.Sequential, part) for name, part in parts if name.startswith("layer")]

    def forward(self, image: Tensor) -> Tensor:
        """Map an image (b c f h w) to logits (b k)."""
        x = self.maxpool(self.act(self.bn1(self.conv1(image))))
        for stage in self.stages:
            x = stage(x)
        return cast(Tensor, self.fc(x.mean(dim=(2, 3, 4))))


def _stage(layout: ResNetLayout, number: int, inner: int) -> nn.Sequential:
    """Return the blocks of one stage; all but the first stage begin with a stride of 2."""
    kind = Bottleneck if layout.bottleneck else BasicBlock
    width, stride = layout.widths[number], 1 if number == 0 else 2
    blocks: list[nn.Module] = [kind(inner, width, stride, _shortcut(layout, number, inner))]
    for _ in range(1, layout.blocks[number]):
        blocks.append(kind(_out_width(layout, width), width, 1, nn.Identity()))
    return nn.Sequential(*blocks)


def _shortcut(layout: ResNetLayout, number: int, inner: int) -> nn.Module:
    width, stride = _out_width(layout, layout.widths[number]), 1 if number == 0 else 2
    if stride == 1 and inner == width:
        return nn.Identity()
    if not layout.projected:
        return ZeroPadded(width, stride)
    return nn.Sequential(
        nn.Conv3d(inner, width, 1, stride, bias=layout.shortcut_bias), nn.BatchNorm3d(width)
    )


def _out_width(layout: ResNetLayout, width: int) -> int:
    return EXPANSION * width if layout.bottleneck else width
