"""Passes through a network that leave it exactly as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

# What networks call the switch that runs parts of them again on the way back, to save memory. It
# hides these parts from whoever wants to look inside.
_RECOMPUTING = ("use_checkpoint", "grad_checkpointing", "gradient_checkpointing", "with_cp")


@contextmanager
def quiet(network: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode and no parameter gradients inside; every flag restored after, errors too."""
    training = [(module, module.training) for module in network.modules()]
    wanting = [p for p in network.parameters() if p.requires_grad]
    recomputing = [
        (module, name)
        for module in network.modules()
        for name in _RECOMPUTING
        if vars(module).get(name) is True
    ]
    for module, name in recomputing:
        setattr(module, name, False)
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
        for module, name in recomputing:
            setattr(module, name, True)
