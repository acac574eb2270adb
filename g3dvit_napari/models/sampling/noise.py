"""Noise that is the same on every device."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def noisy_copies(
    image: Tensor, noise: float, copies: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield copies of an image (1 c f h w) under Gaussian noise.

    `noise` is its standard deviation as a share of the image's range, largest minus smallest.
    """
    deviation = noise * (image.max() - image.min())
    for _ in range(copies):
        drawn = torch.randn(image.shape, generator=generator, dtype=torch.float64)
        yield image + deviation * drawn.to(image)
