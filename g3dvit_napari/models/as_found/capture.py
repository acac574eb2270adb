"""Passes that record a graph where one is needed, nowhere else, and leave the network as found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.progress import Ticks
from g3dvit_napari.models.as_found.precision import full_precision
from g3dvit_napari.models.as_found.quiet import quiet

Stage = Callable[[Tensor], Tensor]
Tick = Callable[[], None]

_LOCKS: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_LOCKS_GUARD = threading.Lock()


@contextmanager
def capturing(network: nn.Module) -> Iterator[None]:
    """Frozen parameters, evaluation mode, full precision, no graph, whatever the caller's modes.

    Torch's gradient modes belong to a thread and the flags of a network to everybody, so the modes
    are set here and one network serves one thread at a time.
    """
    parameters = list(network.parameters())
    if any(parameter.is_inference() for parameter in parameters):
        raise MethodError(
            "the network was made inside torch.inference_mode(), so torch refuses every gradient "
            "through it; build or load it outside"
        )
    kind = parameters[0].device.type if parameters else "cpu"
    with (
        _lock_of(network),
        torch.inference_mode(False),
        torch.no_grad(),
        torch.autocast(kind, enabled=False),
        full_precision(),
        quiet(network),
    ):
        yield


def _lock_of(network: nn.Module) -> threading.RLock:
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(network, threading.RLock())


class Recorded:
    """One stage of a network, with the graph from its input to its output and nothing else."""

    def __init__(self, stage: Stage, entering: Tensor) -> None:
        with torch.enable_grad():
            self.leaf = entering.detach().requires_grad_()
            self._out = stage(self.leaf)

    @property
    def value(self) -> Tensor:
        """The output, without its graph."""
        return self._out.detach()

    def pull(self, gradients: Tensor, also: Sequence[Tensor] = ()) -> list[tuple[Tensor, ...]]:
        """Return, for every row of gradients at the output, those at the input and at `also`."""
        leaves = [self.leaf, *also]
        return [torch.autograd.grad(self._out, leaves, g, retain_graph=True) for g in gradients]


def pull_back(
    stages: Sequence[Stage], entering: Sequence[Tensor], gradients: Tensor, tick: Tick
) -> Tensor:
    """Carry gradients (k ...) at the last stage's output back to the first one's input.

    Each stage is run again from what entered it, so only one stage's graph exists at a time.
    """
    for stage, x in zip(reversed(stages), reversed(entering), strict=True):
        pulled = Recorded(stage, x).pull(gradients)
        gradients = torch.stack([first for first, *_ in pulled])
        tick()
    return gradients


def expect(tick: Tick, steps: int) -> None:
    """Tell whoever counts the ticks that so many more will come."""
    if isinstance(tick, Ticks):
        tick.expect(steps)


def block_index(block: int, blocks: int) -> int:
    """Return the number of a block counted from 0; negative numbers count from the last."""
    if not -blocks <= block < blocks:
        raise MethodError(
            f"the network has {blocks} blocks; block must be between {-blocks} and {blocks - 1}, "
            f"got {block}"
        )
    return block % blocks
