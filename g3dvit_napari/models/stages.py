"""The stages of a network whose weights can be drawn anew one after the other, head first.

One pass shows in which order its modules are entered, so this holds for networks that are not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from g3dvit_napari.models.as_found.capture import capturing

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle
    from g3dvit_napari.models.probing.anatomy import Site

HEAD, PATCHES, POSITIONS, TOKEN = "head", "patch embedding", "position embedding", "class token"
OTHERS = "other weights"  # of a module that takes no part
Event = tuple[Literal["enter", "leave"], str]


def block_stage(block: int) -> str:
    """Return the name of the stage of a block, counted from 0."""
    return f"block {block}"


def stages_of(model: ModelHandle) -> Mapping[str, frozenset[str]]:
    """Return the names of the parameters and buffers of each stage, head first.

    The head, the last block ... the first block, the patch embedding, the position embedding and
    the class token; those that a network does not have are left out. A block runs from its site to
    the next one: from the norm in front of an attention, or up to a feature map. Positions and
    class tokens are known by their shape: as many rows as there are tokens. Every tensor is in
    exactly one stage.
    """
    places = _places(model)
    starts, end = _starts(model, places.events)
    found: dict[str, set[str]] = {name: set() for name in _names(model.blocks)}
    for path, module in model.network.named_modules():
        stage = _stage_at(places.of(path), starts, end)
        for name, tensor in _own(module).items():
            kind = _embedding(model, module, tensor) if stage == PATCHES else None
            found[kind or stage].add(f"{path}.{name}".lstrip("."))
    return {name: frozenset(tensors) for name, tensors in found.items() if tensors}


def _names(blocks: int) -> list[str]:
    """Return all stages that there may be, head first."""
    return [HEAD, *map(block_stage, reversed(range(blocks))), PATCHES, POSITIONS, TOKEN, OTHERS]


class _Places:
    """When the modules of a network were entered in one pass."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self._first: dict[str, int] = {}
        for place, (kind, name) in enumerate(events):
            if kind == "enter":
                self._first.setdefault(name, place)

    def of(self, name: str) -> int | None:
        """Return when a module was first entered; one that holds others with the first of these.

        One that was not counts with the module that holds it, such as the layers of torch's own
        attention, whose weights are used without it.
        """
        inside = [
            place
            for other, place in self._first.items()
            if other != name and (not name or other.startswith(f"{name}."))
        ]
        found = min(inside, default=self._first.get(name))
        around = name.rpartition(".")[0]
        return self.of(around) if found is None and around else found

    def last_with_weights(self, network: nn.Module) -> int:
        """Return when the module with weights that comes last was entered."""
        own = {name for name, module in network.named_modules() if _own(module)}
        leaves = [p for n, p in self._first.items() if n in own and self.of(n) == p]
        return max(leaves, default=0)


def _places(model: ModelHandle) -> _Places:
    events: list[Event] = []

    def note(kind: Literal["enter", "leave"], name: str) -> Any:
        return lambda *_: events.append((kind, name))

    hooks = [
        hook
        for name, module in model.network.named_modules()
        for hook in (
            module.register_forward_pre_hook(note("enter", name)),
            module.register_forward_hook(note("leave", name)),
        )
    ]
    image = torch.zeros(model.image_shape, dtype=model.dtype, device=model.device)
    try:
        with capturing(model.network):
            model.network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return _Places(events)


def _starts(model: ModelHandle, events: list[Event]) -> tuple[list[int], int]:
    """Return where each block begins among the events, and where the head does."""
    anatomy = model.anatomy
    sites = [site.name for site in anatomy.sites]
    last = _Places(events).last_with_weights(model.network)
    if not sites:
        return [], last
    if anatomy.attention == "none":  # the site is the feature map that its block ends with
        return [0, *(_left(events, name) for name in sites[:-1])], _left(events, sites[-1])
    starts = [events.index(("enter", name)) for name in sites]
    return starts, _behind(anatomy.leaving[-1], events) if anatomy.leaving else last


def _left(events: list[Event], name: str) -> int:
    """Return the place behind the last time that a module was left."""
    return len(events) - events[::-1].index(("leave", name))


def _behind(site: Site, events: list[Event]) -> int:
    return events.index(("enter", site.name)) if site.entering else _left(events, site.name)


def _stage_at(place: int | None, starts: list[int], head: int) -> str:
    if place is None:
        return OTHERS
    if place >= head:
        return HEAD
    begun = sum(place >= start for start in starts)
    return block_stage(begun - 1) if begun else PATCHES


def _own(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's own parameters and buffers, not those of the modules inside it."""
    return {
        **dict(module.named_parameters(recurse=False)),
        **dict(module.named_buffers(recurse=False)),
    }


def _embedding(model: ModelHandle, module: nn.Module, tensor: Tensor) -> str | None:
    """Say whether a tensor in front of the blocks holds positions or tokens of its own."""
    layer = hasattr(module, "reset_parameters") and not isinstance(module, nn.Embedding)
    if layer or not tensor.is_floating_point() or not model.anatomy.sites:
        return None
    site = model.anatomy.sites[0]
    sizes = [n for n in tensor.shape if n > 1]
    grids = {site.tokens, site.cells.count}
    if prod(sizes[:-1]) in grids:  # features last
        return POSITIONS
    if site.prefix and prod(sizes[:-1]) == site.prefix:
        return TOKEN
    return POSITIONS if len(sizes) > 1 and prod(sizes[1:]) in grids else None
