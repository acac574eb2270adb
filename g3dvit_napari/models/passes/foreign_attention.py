"""The attention of any network, and gradients at what it mixes: heard while the network runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.as_found.capture import Tick, capturing
from g3dvit_napari.models.attention.attention import AttentionLayer
from g3dvit_napari.models.passes.cut import pulled
from g3dvit_napari.models.probing.tape import AttentionCall, Hear, Tape
from g3dvit_napari.models.rules.relprop import relevance_of_attention

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


@dataclass(frozen=True, eq=False)
class Mixed:
    """What an attention gave to the network, o = A v, in a graph.

    number
        Of the attention, counted from 0.
    order
        The order of axes that makes o (... n e) of it.
    """

    out: Tensor
    number: int
    order: tuple[int, ...]


class ForeignAttention:
    """Queries, keys, values and gradients of every attention, for one image (1 c f h w).

    Each costs a run of the network; what was asked for last is kept.
    """

    def __init__(self, model: ModelHandle, image: Tensor) -> None:
        self._model, self._image = model, image
        self._layers: tuple[AttentionLayer, ...] = ()
        self._kept: tuple[object, tuple[Tensor, ...]] | None = None

    def layers(self, tick: Tick) -> tuple[AttentionLayer, ...]:
        """Return queries, keys and values of every attention, without a graph."""
        if not self._layers:
            heard: list[AttentionLayer] = []

            def hear(call: AttentionCall) -> Tensor:
                number = self._checked(len(heard))
                site = self._model.anatomy.sites[number]
                heard.append(call.layer(site, self._windows(number)))
                tick()
                return call.out

            with capturing(self._model.network):
                self._run(hear)
            self._checked(len(heard) - 1, done=True)
            self._layers = tuple(heard)
        return self._layers

    def gradients(
        self, starts: Tensor, tick: Tick, *, first: int, skip_only: bool
    ) -> tuple[Tensor, ...]:
        """Return ∇o (k g h n e) of the attentions from `first` on, given those at the logits.

        The graph begins at the first of them; with `skip_only` anew at each.
        """
        key = (starts.cpu().double().numpy().tobytes(), first, skip_only)
        if self._kept is None or self._kept[0] != key:
            self._kept = None  # free the old ones before the new ones need memory
            found = self._pulled(starts[:, 0], tick, first=first, skip_only=skip_only)
            self._kept = (key, found)
        return self._kept[1]

    def relevance(
        self, logits: Tensor, starts: Tensor, tick: Tick, *, first: int, partial: bool
    ) -> tuple[Tensor, ...]:
        """Return t = R / o (k g h n e) of the attentions from `first` on, see `relprop`."""
        run = [self._model.answer]
        with capturing(self._model.network):
            found = relevance_of_attention(
                run, [self._image], logits, starts, tick, first=first, partial=partial
            )
        self._checked(first + len(found) - 1, done=True)
        return tuple(self._in_windows(t, number) for number, t in enumerate(found, start=first))

    def _pulled(
        self, starts: Tensor, tick: Tick, *, first: int, skip_only: bool
    ) -> tuple[Tensor, ...]:
        with capturing(self._model.network):
            logits, mixed = self.cut(tick, first=first, each=skip_only)
            rows = []
            for start in starts:
                rows.append(pulled(logits, [one.out for one in mixed], start))
                tick()
        columns = zip(*rows, strict=True)
        return tuple(
            self.split(torch.stack(column), one) for column, one in zip(columns, mixed, strict=True)
        )

    def cut(self, tick: Tick, *, first: int, each: bool) -> tuple[Tensor, list[Mixed]]:
        """Run the network with a graph that begins at the o of an attention.

        That is the one with the number `first`; with `each` the graph begins anew at every one from
        there on. Returns the logits, and o of all of them. To be called inside `capturing`.
        """
        numbers: list[int] = []
        mixed: list[Mixed] = []

        def hear(call: AttentionCall) -> Tensor:
            number, out = self._checked(len(numbers)), call.without_weights()
            numbers.append(number)
            tick()
            if number < first:
                return out
            if each or number == first:
                out = out.detach().requires_grad_()
            mixed.append(Mixed(out, number, call.order))
            return out.clone()  # the network may go on in place

        with torch.enable_grad():
            logits = self._run(hear)
        self._checked(len(numbers) - 1, done=True)
        return logits, mixed

    def split(self, gradients: Tensor, mixed: Mixed) -> Tensor:
        """Bring gradients (k ...) in the order of axes that the network uses to (k g h n e)."""
        own = gradients.permute(0, *(axis + 1 for axis in mixed.order))
        return self._in_windows(own, mixed.number)

    def _in_windows(self, own: Tensor, number: int) -> Tensor:
        """Bring what belongs to o (k ... n e) to (k g h n e)."""
        windows = self._windows(number)
        count = 1 if windows is None else len(windows)
        return own.reshape(len(own), count, -1, *own.shape[-2:])

    def _run(self, hear: Hear) -> Tensor:
        with Tape(hear):
            return self._model.answer(self._image)[0]

    def _windows(self, number: int) -> Tensor | None:
        """Return the windows of an attention; None when all tokens meet in order."""
        windows = self._model.anatomy.windows
        if not windows or is_one_window(windows[number]):
            return None
        return windows[number].to(self._image.device)

    def _checked(self, number: int, *, done: bool = False) -> int:
        known = len(self._model.anatomy.sites)
        if number >= known or (done and number + 1 != known):
            raise MethodError(
                f"the network attends {'more' if number >= known else 'less'} often on this image "
                f"than the {known} times it did on noise: what it runs depends on the image, and "
                "its attention cannot be explained"
            )
        return number


def is_one_window(windows: Tensor) -> bool:
    """Whether windows (g n) are a single one that holds all tokens in order."""
    order = torch.arange(windows.shape[1], device=windows.device)
    return windows.shape[0] == 1 and torch.equal(windows[0], order)
