"""Attention flow (Abnar and Zuidema, ACL 2020)."""

from __future__ import annotations

from typing import Annotated

import torch

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import expect
from g3dvit_napari.models.attention.attention_maps import (
    reading_row,
    same_for_all,
    to_attention_maps,
)
from g3dvit_napari.models.attention.flow import LayeredGraph, grouped, groups_of, seconds_for
from g3dvit_napari.models.passes.forward import ForwardPass

MOST_SECONDS = 300.0


@METHODS.register(
    "Attention flow",
    class_specific=False,
    needs={"global attention"},
    cost="many passes",
    reference="Abnar and Zuidema, Quantifying Attention Flow in Transformers, ACL 2020",
)
def attention_flow(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    top_k: Annotated[int, {"min": 0, "max": 100_000}] = 32,
    pool: Annotated[int, {"min": 1, "max": 16}] = 1,
) -> TokenMaps:
    """Ask how much can flow from each patch to the class token; the same map for every class.

    With A_l the attention of block l, mean over heads, every edge from token i above block l to
    token j below it may carry ½ A_l[i, j], and ½ more if i is j. Token n gets
    r_n = F_n / Σ_m F_m, where F_n is the largest flow from the class token behind the last block to
    token n alone. Where the network averages its tokens, the flow starts from all of them, an equal
    share from each.

    Every patch takes a largest flow of its own. What would take more than five minutes is refused.

    Parameters
    ----------
    top_k
        How many keys of each query are kept, the largest; 0 for all, which is the paper's formula.
    pool
        Cubes of so many patches along each edge are merged: their attention is averaged over
        queries and added up over keys, and each patch gets an equal share of the cube's flow.
    """
    layers = run.attention()
    groups = groups_of(layers[0].site, pool)
    sizes = torch.bincount(groups)
    keys = top_k or len(sizes)
    _refuse_to_take_hours(len(sizes), keys, len(layers))
    flows = torch.full((len(sizes),), torch.nan, dtype=torch.float64)
    if all(part.isfinite().all() for layer in layers for part in (layer.q, layer.k)):
        expect(run.tick, len(sizes))
        start = torch.zeros_like(flows).index_add_(0, groups, reading_row(run, layers[-1].site))
        graph = LayeredGraph((grouped(layer, groups) for layer in layers), start.numpy(), keys)
        flows = torch.from_numpy(graph.flows(run.tick))
    row = (flows / sizes)[groups]
    return to_attention_maps(run, same_for_all(run, targets, row[None]))


def _refuse_to_take_hours(groups: int, keys: int, layers: int) -> None:
    seconds = seconds_for(groups, keys, layers)
    if seconds > MOST_SECONDS:
        raise MethodError(
            f"attention flow between {groups} tokens would take about {seconds / 60:.0f} minutes; "
            f"set pool to 2 or more (8 times fewer tokens), or top_k to less than {keys}"
        )
