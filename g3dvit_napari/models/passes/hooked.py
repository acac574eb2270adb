"""Hooks at the sites of a network, gone again when the work is done or has failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.models.as_found.capture import Tick
from g3dvit_napari.models.probing.anatomy import Site

Change = Callable[[Any], Any]


@contextmanager
def replacing(network: nn.Module, site: Site, change: Change) -> Iterator[None]:
    """Pass what a site holds through a function while the network runs inside.

    That is the module's first output, or where tokens are taken as they enter it, its first input.
    """

    def leaving(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (change(output[0]), *output[1:])
        return change(output)

    def entering(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (change(inputs[0]), *inputs[1:])

    module = find(network, site.name)
    if site.entering:
        handle = module.register_forward_pre_hook(entering)
    else:
        handle = module.register_forward_hook(leaving)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def ticking(network: nn.Module, sites: Iterable[Site], tick: Tick) -> Iterator[None]:
    """Tick when the network passes a site; a tick may raise, and stops it then."""

    def passed(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        tick()

    with ExitStack() as stack:
        for site in sites:
            handle = find(network, site.name).register_forward_hook(passed)
            stack.callback(handle.remove)
        yield


def find(network: nn.Module, name: str) -> nn.Module:
    """Return the module of a name.

    Raises
    ------
    SpecError
        When there is none.
    """
    modules: dict[str, nn.Module] = dict(network.named_modules())
    found = modules.get(name) if name else None
    if found is None:
        norms = [n for n, m in network.named_modules() if isinstance(m, nn.LayerNorm)]
        raise SpecError(
            f"the network has no module named {name!r}; set network.norm to the layer norm in "
            f"front of the last attention, one of: {', '.join(norms) or 'none found'}"
        )
    return found


def only_tensor(output: Any) -> Tensor | None:
    """Return a module's output, or the first of several, if it is a tensor."""
    if isinstance(output, tuple) and output:
        output = output[0]
    return output if isinstance(output, Tensor) else None
