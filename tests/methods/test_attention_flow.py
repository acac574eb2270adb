"""Attention flow: networkx on the whole graph; and what would take hours is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from plain_attention import patches, plain_pass
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention.flow import groups_of, seconds_for
from g3dvit_napari.models.probing.anatomy import Site

networkx = pytest.importorskip("networkx", reason="the slow way to the same flows")
KINDS = ["class token", "mean", "simple"]


def capacities(plain: Any, top_k: int | None = None) -> list[Tensor]:
    """½ mean A + ½ I of every block, the smaller keys of each query struck out."""
    found = []
    for weights in plain.weights:
        matrix = 0.5 * weights.detach().mean(0) + 0.5 * torch.eye(len(plain.reading)).double()
        if top_k is not None:
            for row in matrix:
                row[row.argsort()[:-top_k]] = 0
        found.append(matrix)
    return found


def flows(matrices: list[Tensor], reading: Tensor, inputs: Sequence[int]) -> Tensor:
    """The largest flow to some input tokens, on fractions."""
    graph, count = networkx.DiGraph(), len(reading)
    for layer, matrix in enumerate(matrices, start=1):
        for i in range(count):
            for j in range(count):
                if matrix[i, j]:
                    graph.add_edge((layer, i), (layer - 1, j), capacity=matrix[i, j].item())
    for i in range(count):
        graph.add_edge("answer", (len(matrices), i), capacity=reading[i].item())
    found = [networkx.maximum_flow_value(graph, "answer", (0, j)) for j in inputs]
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top_k", [0, 4])
def test_values_follow_the_definition(build: Any, image: Tensor, kind: str, top_k: int) -> None:
    model = build(kind)
    plain, prefix = plain_pass(model.network, image), model.prefix_tokens
    some = range(0, 36, 5)  # the slow way takes a while for each
    inputs = [patch + prefix for patch in some]
    wanted = flows(capacities(plain, top_k or None), plain.reading, inputs).numpy()
    assert np.ptp(wanted) > 1e-3
    maps = METHODS["attention_flow"].function(model.forward(image), (1, 0), top_k=top_k)
    for values in maps.values:
        found = values.ravel()[some]
        np.testing.assert_allclose(found / found.sum(), wanted / wanted.sum(), rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_merged_patches_flow_together(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)  # a grid of 3 × 4 × 3 patches
    plain, prefix = plain_pass(model.network, image), model.prefix_tokens
    cells = torch.arange(36).reshape(3, 4, 3)
    cubes = [cells[f : f + 2, h : h + 2, w : w + 2].flatten() + prefix
             for f in (0, 2) for h in (0, 2) for w in (0, 2)]  # fmt: skip
    members = [torch.tensor([n]) for n in range(prefix)] + cubes
    join = torch.zeros(len(members), 36 + prefix, dtype=torch.float64)
    for row, tokens in enumerate(members):
        join[row, tokens] = 1
    mean = join / join.sum(1, keepdim=True)
    identity = torch.eye(len(members), dtype=torch.float64)
    matrices = [0.5 * mean @ w.detach().mean(0) @ join.T + 0.5 * identity for w in plain.weights]
    wanted = flows(matrices, join @ plain.reading, range(len(members)))
    wanted = (wanted / wanted.sum()) @ mean  # an equal share for each patch
    maps = METHODS["attention_flow"].function(model.forward(image), (1,), top_k=0, pool=2)
    np.testing.assert_allclose(maps.values.ravel(), patches(wanted, prefix), rtol=0, atol=1e-7)


def test_flows_are_shares_of_all(build: Any, image: Tensor) -> None:
    maps = METHODS["attention_flow"].function(build("simple").forward(image), (1,))
    assert maps.values.sum() == pytest.approx(1, abs=1e-12)


def test_groups_are_cubes_behind_the_prefix() -> None:
    site = Site("s", "b n d", 2, Cells.tiling((1, 3, 4), (1, 1, 1)))
    assert groups_of(site, 2).tolist() == [0, 1, 2, 2, 3, 3, 2, 2, 3, 3, 4, 4, 5, 5]
    assert groups_of(site, 1).tolist() == list(range(14))


def test_what_would_take_hours_is_refused(
    build: Any, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seconds_for(513, 32, 6) < 10  # as measured: 2 to 5 seconds
    assert seconds_for(513, 513, 6) < 100  # 33 to 82 seconds
    module = "g3dvit_napari.methods.attention.attention_flow.MOST_SECONDS"
    monkeypatch.setattr(module, 1e-7 * 37 * 37 * 2 * 8)
    run = build().forward(image)
    METHODS["attention_flow"].function(run, (0,), top_k=8)
    with pytest.raises(MethodError, match=r"37 tokens .* set pool to 2 .* top_k to less than 9"):
        METHODS["attention_flow"].function(run, (0,), top_k=9)


def test_it_can_be_stopped_between_flows(build: Any, image: Tensor) -> None:
    ticks: list[int] = []
    run = build().forward(image, lambda: ticks.append(1))
    ticks.clear()
    METHODS["attention_flow"].function(run, (0,))
    assert len(ticks) == 37
