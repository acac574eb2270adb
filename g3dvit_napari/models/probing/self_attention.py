"""Every self-attention of a network, with the tokens that meet in it, found by running it once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, product
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import Tensor

from g3dvit_napari.models.passes.foreign_attention import is_one_window
from g3dvit_napari.models.probing.anatomy import Layout
from g3dvit_napari.models.probing.tape import AttentionCall, Tape, same_attention
from g3dvit_napari.models.probing.trace import Source, Tag, Trace

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle
    from g3dvit_napari.models.probing.anatomy import Site

SAMPLE = 16  # first and last windows, and rows, that are computed again


@dataclass(frozen=True, eq=False)
class SelfAttention:
    """One attention: the module whose tokens it mixes, and which of them meet.

    name, entering, layout, shape
        The module, whether its input or its output holds the tokens, how, and the shape of that.
    windows
        (g n) the token at each place of each window, -1 for padding.
    traced
        Whether queries and keys are known; else only the scores are.
    within
        The modules that were running when it was computed.
    """

    name: str
    entering: bool
    layout: Layout
    shape: tuple[int, ...]
    windows: Tensor
    traced: bool
    within: frozenset[str]

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return int(self.windows.max()) + 1

    @property
    def everywhere(self) -> bool:
        """Whether all tokens meet in one window, in order."""
        return is_one_window(self.windows)


class Unclear(Exception):
    """Why an attention cannot be explained."""


@dataclass(frozen=True, eq=False)
class Heard:
    """What was heard of a network's attention.

    calls
        How many attentions there were.
    attentions
        Those of which it is known what tokens they mix, first to last.
    unclear
        A reason for each of which something is not understood.
    """

    calls: int
    attentions: tuple[SelfAttention, ...]
    unclear: tuple[str, ...]


class _Heard(Exception):
    """There is attention."""


def attentions_of(model: ModelHandle, image: Tensor) -> Heard:
    """Return what a run of the network shows of its attention; to be called inside `capturing`."""
    missed = _missed_if_all(model, image)
    if missed is not None:  # tags would cost a convolutional network much memory
        return Heard(0, (), _missed(missed))
    trace, numbers = Trace(), count(1)
    found: list[SelfAttention] = []
    unclear: list[str] = []

    def hear(call: AttentionCall) -> Tensor:
        number = next(numbers)
        try:
            found.append(_understood(trace, call))
            _confirm(call, found[-1].windows)
        except Unclear as reason:
            unclear.append(f"attention {number}: {reason}")
        return call.out

    tape = Tape(hear)
    with trace.watching(model.network), trace, tape:
        model.answer(image)
    for name in dict.fromkeys(each.name for each in found):
        if trace.runs[name] > 1:
            unclear.append(f"{name} is run {trace.runs[name]} times")
        if sum(each.name == name for each in found) > 1:
            unclear.append(f"several attentions read {name}")
    return Heard(next(numbers) - 1, tuple(found), (*unclear, *_missed(tape.missed)))


def _missed_if_all(model: ModelHandle, image: Tensor) -> int | None:
    """Return how often weights were lost sight of; None as soon as an attention is heard."""

    def hear(_call: AttentionCall) -> NoReturn:
        raise _Heard

    tape = Tape(hear)
    try:
        with tape:
            model.answer(image)
    except _Heard:
        return None
    return tape.missed


def _missed(times: int) -> tuple[str, ...]:
    return (f"{times} times weights are not simply multiplied with values",) if times else ()


def _understood(trace: Trace, call: AttentionCall) -> SelfAttention:
    """Return which tokens an attention mixes."""
    values = trace.tokens(call.v)
    if values is None:
        raise Unclear("it is not known which tokens its values come from")
    tags = [values]
    if call.scores.traced:
        pair = map(trace.tokens, (call.scores.q, call.scores.k))
        tags += [tag for tag in pair if tag is not None and tag.source is values.source]
        if len(tags) < 3:
            raise Unclear("its queries, keys and values come from different places")
    lead = call.mixed.shape[:-2]
    index, *others = (_over(lead, tag) for tag in tags)
    if any(not torch.equal(index, other) for other in others):
        raise Unclear("its queries come from other tokens than its keys")
    if index.shape[-1] != call.mixed.shape[-2]:
        raise Unclear("it has another number of queries than of keys")
    windows, source = _windows(index), values.source
    _check_once(windows, source)
    layout = _layout(source)
    return SelfAttention(
        source.name,
        source.entering,
        layout,
        source.shape,
        windows,
        call.scores.traced,
        frozenset(trace.running),
    )


def _over(lead: torch.Size, tag: Tag) -> Tensor:
    """Return the tokens (b n) of all windows and heads."""
    index = tag.index
    if index.ndim == len(lead) + 1:
        index = index.expand(*lead, -1)
    return index.reshape(-1, index.shape[-1])


def _windows(index: Tensor) -> Tensor:
    """Return the tokens (g n) of each window, given those (g*h n) of each window and head."""
    other = (index != index[0]).any(-1).nonzero()
    heads = int(other[0]) if len(other) else len(index)
    if len(index) % heads:
        raise Unclear("its windows have different numbers of heads")
    windows = index.reshape(-1, heads, index.shape[-1])
    if (windows != windows[:, :1]).any():
        raise Unclear("its heads do not see the same tokens")
    return windows[:, 0].long() - 1


def _check_once(windows: Tensor, source: Source) -> None:
    """See that every token is in exactly one window."""
    features = source.shape[source.features or -1]
    tokens = torch.Size(source.shape).numel() // features
    met = windows[windows >= 0].sort().values
    if not torch.equal(met, torch.arange(tokens, device=met.device)):
        raise Unclear(f"not every token of {source.name} takes part in it once")


def _layout(source: Source) -> Layout:
    layouts: dict[tuple[int, int | None], Layout] = {
        (3, 2): "b n d", (5, 4): "b f h w d", (5, 1): "b d f h w"
    }  # fmt: skip
    found = layouts.get((len(source.shape), source.features))
    if found == "b n d" and source.shape[0] > 1:
        found = "n b d" if source.shape[1] == 1 else None
    if found is None:
        raise Unclear(f"the tokens of {source.name}, of shape {source.shape}, cannot be told apart")
    return found


def _confirm(call: AttentionCall, windows: Tensor) -> None:
    """Compute some rows of the attention again, of the first and the last windows, and compare."""
    site: Site = None  # type: ignore[assignment]
    layer = call.layer(site, windows)
    given = call.in_windows(call.mixed.detach(), len(windows))
    some = slice(0, SAMPLE), slice(-SAMPLE, None)
    for chosen, rows in product(some, some):
        weights = layer.weights(chosen, rows)
        again = weights @ layer.v[chosen].to(weights)
        if not same_attention(again, given[chosen, :, rows]):
            raise Unclear("it does something else to its weights or values")
