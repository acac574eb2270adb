"""A network that has learned nothing: a copy with new weights, to hold explanations against.

Adebayo et al., "Sanity Checks for Saliency Maps" (2018): a map that stays the same when the weights
are drawn anew does not show what the network has learned. Torch is imported when it is needed.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from g3dvit_napari.core.errors import SpecError

if TYPE_CHECKING:
    from torch import nn

    from g3dvit_napari.models.handle import ModelHandle

SPREAD = 0.02  # of tokens, positions and biases of positions, as in the code of ViT and Swin
_UNSEEN = "the network's weights cannot be drawn anew"


def randomised(model: ModelHandle, seed: int = 0, down_to: int | None = None) -> ModelHandle:
    """Return a copy of a network with new random weights; the network itself is left as found.

    Every layer is initialised as its type is before training: norms to 1 and 0, running statistics
    too. Positions and tokens of their own are drawn from a narrow normal distribution.

    Parameters
    ----------
    model
        The network, from `load_model`.
    seed
        The same seed gives the same copy, on every device.
    down_to
        Draw anew from the head down to this block and keep what comes before it; None: everything.
        Of a convolutional network, a block is what leads to one of its feature maps.

    Raises
    ------
    MethodError
        When there is no such block.
    SpecError
        When the network cannot be copied.
    """
    import torch

    from g3dvit_napari.models.handle import ModelHandle

    with torch.inference_mode(False), torch.no_grad():
        network = _copy(model.network)
        chosen = set(network.modules()) if down_to is None else _behind(model, network, down_to)
        network.to("cpu")  # the same numbers whatever the device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for module in network.modules():
                if module in chosen:
                    _draw(module)
        network.to(model.device)
    words = "all weights" if down_to is None else f"from the head down to block {down_to}"
    notes = (*model.checkpoint.get("notes", ()), f"randomised: {words}, seed {seed}")
    facts = {**model.checkpoint, "notes": notes}
    made = ModelHandle(network, model.spec, model.device, model.class_names, facts)
    made.anatomy = model.anatomy  # weights do not change it, and random ones may hide it
    return made


def _copy(network: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(network)
    except (RuntimeError, TypeError) as error:
        raise SpecError(
            f"{_UNSEEN}: {type(network).__name__} cannot be copied ({error}); "
            "remove what hangs on its tensors, such as weight_norm"
        ) from error


def _behind(model: ModelHandle, network: nn.Module, block: int) -> set[nn.Module]:
    """Return the modules that are first entered at a block or after it, as one pass shows."""
    import torch

    from g3dvit_napari.models.as_found.capture import block_index, capturing

    index = block_index(block, model.blocks)
    sites = [site.name for site in model.anatomy.sites]
    events: list[tuple[str, nn.Module]] = []

    def note(kind: str) -> Any:
        return lambda module, *_: events.append((kind, module))

    hooks = [
        hook
        for module in network.modules()
        for hook in (
            module.register_forward_pre_hook(note("enter")),
            module.register_forward_hook(note("leave")),
        )
    ]
    image = torch.zeros(model.image_shape, dtype=model.dtype, device=model.device)
    try:
        with capturing(network):
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    if model.anatomy.attention != "none":  # the site is the norm that its block begins with
        start = events.index(("enter", network.get_submodule(sites[index])))
    else:  # the site is the feature map that its block ends with
        before = ("leave", network.get_submodule(sites[index - 1]))
        start = len(events) - events[::-1].index(before) if index else 0
    first = {module: place for place, (_, module) in reversed(list(enumerate(events)))}
    return {module for module, place in first.items() if place >= start}


def _draw(module: nn.Module) -> None:
    """Initialise a module's own weights, not those of the modules inside it."""
    from torch.nn import init

    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    norm = "norm" in type(module).__name__.lower()
    for name, parameter in module.named_parameters(recurse=False):
        if not parameter.is_floating_point():
            continue
        if name.endswith("bias") or name == "beta":
            init.zeros_(parameter)
        elif norm:
            init.ones_(parameter)
        else:
            init.trunc_normal_(parameter, std=SPREAD)
