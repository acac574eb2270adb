"""A network that has learned nothing: a copy with new weights, to hold explanations against.

Adebayo et al., "Sanity Checks for Saliency Maps" (2018): a map that stays the same when the weights
are drawn anew does not show what the network has learned. Torch is imported when it is needed.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from g3dvit_napari.core.errors import MethodError, SpecError, unknown_name

if TYPE_CHECKING:
    from torch import nn

    from g3dvit_napari.models.handle import ModelHandle

SPREAD = 0.02  # of tokens, positions and biases of positions, as in the code of ViT and Swin
_UNSEEN = "the network's weights cannot be drawn anew"


def randomised(
    model: ModelHandle,
    seed: int = 0,
    down_to: int | None = None,
    *,
    stages: Sequence[str] | None = None,
) -> ModelHandle:
    """Return a copy of a network with new random weights; the network itself is left as found.

    Every layer is initialised as its type is before training: norms to 1 and 0, running statistics
    too. Positions and tokens of their own are drawn from a narrow normal distribution. All layers
    are drawn from one stream, so that no two of them get the same weights; and a stage gets the
    same ones of a seed, whichever others are drawn with it.

    Parameters
    ----------
    model
        The network, from `load_model`.
    seed
        The same seed gives the same copy, on every device.
    down_to
        Draw anew from the head down to this block and keep what comes before it; None: everything.
        Of a convolutional network, a block is what leads to one of its feature maps.
    stages
        Draw these stages anew and keep the others; see `models.stages`. Not with `down_to`.

    Raises
    ------
    MethodError
        When there is no such block or stage.
    SpecError
        When the network cannot be copied.
    """
    import torch

    from g3dvit_napari.models.handle import ModelHandle

    drawn, words = _wanted(model, down_to, stages)
    with torch.inference_mode(False), torch.no_grad():
        network = _copy(model.network)
        network.to("cpu")  # the same numbers whatever the device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for module in network.modules():
                _draw(module)
        network.to(model.device)
        if drawn is not None:
            _restore(network, model.network, drawn)
    notes = (*model.checkpoint.get("notes", ()), f"randomised: {words}, seed {seed}")
    facts = {**model.checkpoint, "notes": notes}
    made = ModelHandle(network, model.spec, model.device, model.class_names, facts)
    made.anatomy = model.anatomy  # weights do not change it, and random ones may hide it
    return made


def _wanted(
    model: ModelHandle, down_to: int | None, stages: Sequence[str] | None
) -> tuple[set[str] | None, str]:
    """Return the names of what is drawn anew, None for everything, and that in words."""
    from g3dvit_napari.models.as_found.capture import block_index
    from g3dvit_napari.models.stages import HEAD, block_stage, stages_of

    if down_to is not None and stages is not None:
        raise MethodError("weights are drawn down to a block or by stages; leave one of them out")
    if down_to is not None:
        block = block_index(down_to, model.blocks)
        chosen = [HEAD, *map(block_stage, range(block, model.blocks))]
        words = f"from the head down to block {down_to}"
    elif stages is not None:
        chosen, words = list(stages), ", ".join(stages) or "nothing"
    else:
        return None, "all weights"
    known = stages_of(model)
    for name in chosen if stages is not None else ():
        if name not in known:
            raise MethodError(unknown_name("stage of this network", name, known))
    return {tensor for name in chosen for tensor in known.get(name, ())}, words


def _restore(network: nn.Module, original: nn.Module, drawn: set[str]) -> None:
    """Give all but the tensors of these names their original values."""
    before = {**dict(original.named_parameters()), **dict(original.named_buffers())}
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if name not in drawn:
            tensor.copy_(before[name])


def _copy(network: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(network)
    except (RuntimeError, TypeError) as error:
        raise SpecError(
            f"{_UNSEEN}: {type(network).__name__} cannot be copied ({error}); "
            "remove what hangs on its tensors, such as weight_norm"
        ) from error


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
