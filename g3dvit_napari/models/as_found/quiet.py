"""Passes through a network that leave it exactly as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

# What keeps others from looking inside a module: code compiled in advance, and the switch, by
# whatever name, that saves memory by running parts of a network again on the way back.
_HIDING = {
    "_compiled_call_impl": None,
    "use_checkpoint": False,
    "grad_checkpointing": False,
    "gradient_checkpointing": False,
    "with_cp": False,
}


@contextmanager
def quiet(network: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode and no parameter gradients inside; every flag restored after, errors too."""
    training = [(module, module.training) for module in network.modules()]
    wanting = [p for p in network.parameters() if p.requires_grad]
    hiding = [
        (vars(module), name, vars(module)[name])
        for module in network.modules()
        for name in _HIDING
        if vars(module).get(name)
    ]
    network.eval()
    for attributes, name, _ in hiding:
        attributes[name] = _HIDING[name]
    for parameter in wanting:
        parameter.requires_grad_(False)
    try:
        yield network
    finally:
        for module, flag in training:
            module.training = flag
        for attributes, name, value in hiding:
            attributes[name] = value
        for parameter in wanting:
            parameter.requires_grad_(True)
