"""Where tokens leave the last blocks of any network, so that its head can be put behind each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from g3dvit_napari.models.passes.hooked import only_tensor, replacing
from g3dvit_napari.models.probing.anatomy import Site

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle

Passed = dict[str, list[tuple[Tensor | None, Tensor | None]]]


def leaving_sites(
    model: ModelHandle,
    images: tuple[Tensor, Tensor],
    sites: Sequence[Site],
    within: Sequence[frozenset[str]],
) -> tuple[Site, ...]:
    """Return where tokens leave the blocks of the last sites, as far as these share one grid.

    A block is the innermost module around a norm from which everything behind it follows: what
    leaves it enters the next one, and with what leaves the last one the answer is the same whatever
    the image. Empty when there are no such modules. To be called inside `capturing`.

    Parameters
    ----------
    model, images
        The network's handle, and two images (1 c f h w).
    sites
        The norm in front of each attention.
    within
        The modules around each attention; a norm at the end of the block before is in others.
    """
    for depth in range(1, sites[-1].name.count(".") + 1):
        around = [_around(site, depth) for site in sites if site.cells == sites[-1].cells]
        last = within[-len(around) :]
        if not all(site.name in names for site, names in zip(around, last, strict=True)):
            continue
        passed = _passed(model, images[0], [site.name for site in around])
        chain = _chain(around, passed)
        if chain and _tells_all(model, images, chain[-1]):
            return chain
    return ()


def _around(site: Site, depth: int) -> Site:
    return replace(site, name=".".join(site.name.split(".")[:-depth]), entering=False)


def _passed(model: ModelHandle, image: Tensor, names: Sequence[str]) -> Passed:
    """Return the first input and the output of each module, once for each time it ran."""
    passed: Passed = {name: [] for name in names}

    def see(name: str, _module: nn.Module, inputs: Any, output: Any) -> None:
        values = (only_tensor(inputs), only_tensor(output))
        copies = (None if value is None else value.detach().clone() for value in values)
        passed[name].append((next(copies), next(copies)))

    with ExitStack() as stack:
        for name, module in model.network.named_modules():
            if name in passed:
                hook = module.register_forward_hook(partial(see, name))
                stack.callback(hook.remove)
        model.answer(image)
    return passed


def _chain(around: Sequence[Site], passed: Passed) -> tuple[Site, ...]:
    """Return the longest end of the list in which what leaves one module enters the next."""
    chain: list[Site] = []
    above: Tensor | None = None
    for site in reversed(around):
        runs = passed[site.name]
        if len(runs) != 1 or site.name in (other.name for other in chain):
            break
        entering, leaving = runs[0]
        if leaving is None or not _holds_tokens(site, leaving):
            break
        if chain and (above is None or not torch.equal(leaving, above)):
            break
        chain.insert(0, site)
        above = entering
    return tuple(chain)


def _holds_tokens(site: Site, output: Tensor) -> bool:
    return (
        output.ndim == len(site.layout.split()) and site.flat(output).shape[:2] == (1, site.tokens)
    )  # fmt: skip


def _tells_all(model: ModelHandle, images: tuple[Tensor, Tensor], site: Site) -> bool:
    """Whether the answer depends on nothing but what leaves a module."""
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        kept.append(output.clone())
        return output

    def put(_output: Tensor) -> Tensor:
        return kept[0].clone()

    with replacing(model.network, site, keep):
        one = model.answer(images[0])
    with replacing(model.network, site, put):
        other = model.answer(images[1])
    return torch.allclose(one, other, rtol=0, atol=1e-4 * float(one.abs().max()))
