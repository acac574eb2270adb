"""Any network as one graph from the image to the logits, under backward rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.as_found.capture import Tick, capturing, expect
from g3dvit_napari.models.probing.anatomy import Site
from g3dvit_napari.models.rules.ledger import Ledger
from g3dvit_napari.models.rules.rules import Books, Ruled, Rules
from g3dvit_napari.models.rules.shares import At, Places, Shares, stacked, terms

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


class WholeGraph:
    """One recorded run; to be made and used while the network is being captured.

    What enters a site is remembered as it is then, since the network may go on in place.
    """

    def __init__(
        self, model: ModelHandle, image: Tensor, rules: Rules, sites: Sequence[Site] = ()
    ) -> None:
        self._found: dict[int, tuple[Tensor, Tensor]] = {}
        self._ruled = Ruled(rules)
        with torch.enable_grad(), self._watching(model.network, sites), self._ruled:
            self.leaf = image.detach().requires_grad_()
            self.logits = model.answer(self.leaf.clone())[0]
        if not self.logits.requires_grad:
            raise MethodError(
                "under these backward rules no gradient reaches the image from the network's "
                "answer: it ends in a softmax, or is cut off from its input; let the network "
                "return logits"
            )

    def pull(self, start: Tensor, books: Books) -> Tensor:
        """Return the gradient at the image, given that at the logits (c)."""
        self._found.clear()
        self._ruled.books = books
        (found,) = torch.autograd.grad(self.logits, self.leaf, start, retain_graph=True)
        return found

    def at_site(self, number: int) -> tuple[Tensor, Tensor]:
        """Return what `terms` gave on the last way back, for what entered a site."""
        return self._found[number]

    @contextmanager
    def _watching(self, network: nn.Module, sites: Sequence[Site]) -> Iterator[None]:
        modules = dict(network.named_modules())
        handles = [
            modules[site.name].register_forward_pre_hook(
                partial(self._enter, number, site), with_kwargs=True
            )
            for number, site in enumerate(sites)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(
        self,
        number: int,
        site: Site,
        _module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        x, *_ = (*args, *kwargs.values())
        self._ruled.stage = number + 1
        if not isinstance(x, Tensor) or site.flat(x).shape[1] != site.tokens:
            shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise MethodError(
                f"{site.name} must take one vector per token, {site.tokens} of them, but takes "
                f"{shape}; explain the voxels (at=voxels)"
            )
        kept = x.detach().clone()
        x.register_hook(  # type: ignore[no-untyped-call]
            lambda gradient: self._keep(number, terms(site, kept, gradient))
        )

    def _keep(self, number: int, found: tuple[Tensor, Tensor]) -> None:
        self._found[number] = found


def whole_shares(
    model: ModelHandle, image: Tensor, starts: Tensor, rules: Rules, at: At, *, tick: Tick
) -> Shares:
    """Return what the tokens or voxels of a network, and its biases, contribute.

    Parameters
    ----------
    model, image
        The network's handle, and its input (1 c f h w).
    starts
        Gradients (k 1 c) of the explained numbers at the logits.
    rules
        The backward rules.
    at
        Whether tokens or voxels are asked for.
    tick
        Called after the run, and after each class.
    """
    places = Places(model.anatomy, tuple(image.shape[2:]), at)
    sites = places.sites if places.tokens else ()
    ledgers = tuple(Ledger() for _ in starts)
    expect(tick, 1 + len(ledgers))
    rows = []
    with capturing(model.network):
        graph = WholeGraph(model, image, rules, sites)
        tick()
        for start, ledger in zip(starts[:, 0], ledgers, strict=True):
            gradient = graph.pull(start, ledger)
            numbers = range(len(sites))
            rows.append(
                [graph.at_site(number) for number in numbers]
                or [terms(places.image, image, gradient)]
            )
            tick()
    values, magnitudes = zip(*map(stacked, zip(*rows, strict=True)), strict=True)
    scores = (starts[:, 0] @ graph.logits.detach()).cpu().double()
    return Shares(places, scores, values, magnitudes, ledgers)
