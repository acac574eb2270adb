"""Functions of an image whose attributions can be written down, dressed up as networks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.objective import Objective

SIZE, PATCH = (4, 4, 2), (2, 2, 2)  # four patches in a plane


class Known(nn.Module):
    """Two logits by a function of the image (b c f h w) that returns (b 2)."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.seen = function, 0

    def forward(self, image: Tensor) -> Tensor:
        self.seen += len(image)
        return self.function(image)


def patches_of(image: Tensor) -> Tensor:
    """The sums (b patches) over the patches of SIZE, or of any size that they tile."""
    f, h, w = PATCH
    cut = image.sum(1).unfold(1, f, f).unfold(2, h, h).unfold(3, w, w)
    return cut.flatten(4).sum(4).flatten(1)


def handle(
    function: Callable[[Tensor], Tensor], size: tuple[int, int, int] = SIZE, channels: int = 1
) -> ModelHandle:
    spec = NetworkSpec(family="module", image_size=size, patch=PATCH, channels=channels, classes=2)
    network = Known(function)
    network.scale = nn.Parameter(torch.ones((), dtype=torch.float64))  # the handle's number format
    return ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), ("a", "b"))


def picture(size: tuple[int, int, int] = SIZE, channels: int = 1, seed: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, *size, generator=generator, dtype=torch.float64)


def curved(image: Tensor) -> Tensor:
    """A small network with gradients that change from place to place."""
    flat = image.flatten(1)
    generator = torch.Generator().manual_seed(8)
    first, second = (
        torch.randn(shape, generator=generator, dtype=torch.float64) / shape[0] ** 0.5
        for shape in ((flat.shape[1], 12), (12, 2))
    )
    return torch.tanh(2 * flat @ first) @ second


def entangled(image: Tensor) -> Tensor:
    """Patches that help and hinder each other, three at a time."""
    sums = patches_of(image)
    triples = torch.tanh(sums * sums.roll(1, 1) * sums.roll(2, 1))
    return torch.stack([triples.sum(1), sums.sum(1)], 1)


PROBABILITY = Objective("probability")


def nothing() -> None:
    pass
