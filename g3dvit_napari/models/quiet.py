"""Passes through a network that leave it exactly as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def quiet(network: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode and no parameter gradients inside; every flag restored after, errors too."""
    training = [(module, module.training) for module in network.modules()]
    wanting = [p for p in network.parameters() if p.requires_grad]
    network.eval()
    for parameter in wanting:
        parameter.requires_grad_(False)
    try:
        yield network
    finally:
        for module, flag in training:
            module.training = flag
        for parameter in wanting:
            parameter.requires_grad_(True)
