"""Relevance carried back from an answer to the attentions of a network.

The network is run under the rules of Chefer et al. (CVPR 2021), or those of partial LRP (Voita et
al., ACL 2019, as run by Chefer et al.). No weight is changed and nothing is trained again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.as_found.capture import Stage, Tick
from g3dvit_napari.models.probing.tape import AttentionCall, Hear, Tape
from g3dvit_napari.models.rules.relevance_rules import Head, RelevanceRules
from g3dvit_napari.models.rules.relevance_shares import head_relevance, quotient


def relevance_of_attention(
    stages: Sequence[Stage],
    entering: Sequence[Tensor],
    logits: Tensor,
    starts: Tensor,
    tick: Tick,
    *,
    first: int = 0,
    partial: bool = False,
) -> tuple[Tensor, ...]:
    """Return t = R / o (k ... n e), R being the relevance at o = A v, of every attention in order.

    Every stage is run again from what entered it, so only one stage's graph exists at a time.

    Parameters
    ----------
    stages, entering
        Parts of a network, each reading what the one before it returns, and what enters them. The
        last one returns the logits, which its last linear layer makes.
    logits
        The network's own (c), to compare with.
    starts
        What is explained: combinations (k 1 c) of the logits.
    tick
        Called after each stage.
    first
        The attention, counted from the start of the first stage, from which on it is asked for.
    partial
        By the rules of partial LRP.
    """
    found: list[Tensor] = []
    relevance: Tensor | None = None
    for index in reversed(range(len(stages))):
        calls: list[AttentionCall] = []
        with torch.enable_grad(), RelevanceRules(partial=partial) as rules, Tape(_into(calls)):
            leaf = entering[index].detach().requires_grad_()
            out = stages[index](leaf)
        if relevance is None:
            head = _checked(rules.head, calls, logits)
            out = head.entering
            relevance = head_relevance(out.detach(), head.weight, starts, separate=partial)
        calls, below = (calls, [leaf]) if index else (calls[first:], [])  # nobody asks for the rest
        at = _pulled(out, [*(call.out for call in calls), *below], relevance)
        found[:0] = map(_per_unit, calls, at)
        relevance = at[-1]
        tick()
    return tuple(found)


def _into(calls: list[AttentionCall]) -> Hear:
    def hear(call: AttentionCall) -> Tensor:
        calls.append(call)
        return call.out

    return hear


def _pulled(out: Tensor, wanted: Sequence[Tensor], relevance: Tensor) -> list[Tensor]:
    """Return the relevance (k ...) at each of `wanted`, given that (k ...) at a result."""
    rows = [
        torch.autograd.grad(out, wanted, r, retain_graph=True, materialize_grads=True)
        for r in relevance
    ]
    return [torch.stack(parts) for parts in zip(*rows, strict=True)]


def _per_unit(call: AttentionCall, relevance: Tensor) -> Tensor:
    """Return R / o (k ... n e), its axes in the order of o."""
    t = quotient(relevance, call.out.detach())
    return t.permute(0, *(axis + 1 for axis in call.order))


def _checked(head: Head | None, calls: Sequence[AttentionCall], logits: Tensor) -> Head:
    """Return the head, if its answer is the network's and there is attention in front of it."""
    if head is None or head.value.shape != (1, len(logits)):
        raise MethodError(
            "the network's logits do not come from a linear layer, where relevance propagation "
            "starts; choose another method"
        )
    slack = torch.finfo(logits.dtype).eps ** 0.5
    if (head.value[0] - logits).abs().max() > slack * logits.abs().max():  # NaN is for the map
        raise MethodError(
            "the network gives another answer under relevance propagation: it writes into its own "
            "tensors in a way that was not followed; choose another method"
        )
    if not calls:
        raise MethodError("the network has no attention that could be seen; choose another method")
    return head
