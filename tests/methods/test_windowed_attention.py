"""Attention methods on windows and two resolutions, against dense matrices over real tokens."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention import attention
from g3dvit_napari.models.attention.attention import AttentionLayer
from g3dvit_napari.models.objective import Objective
from g3dvit_napari.models.probing.anatomy import Anatomy, Site

FINE = Site("fine", "b f h w d", 0, Cells.tiling((3, 4, 2), (2, 2, 2)))
COARSE = Site("coarse", "b f h w d", 0, Cells.tiling((2, 2, 1), (4, 4, 4)))
TARGETS = (2, 0)


def windows(site: Site, count: int, places: int, seed: int) -> AttentionLayer:
    """Windows of shuffled tokens; what is left of their places is padding."""
    chance = torch.Generator().manual_seed(seed)
    filled = torch.full((count * places,), -1)
    order = torch.randperm(count * places, generator=chance)[: site.tokens]
    filled[order] = torch.randperm(site.tokens, generator=chance)
    parts = torch.randn(3, count, 2, places, 5, generator=chance, dtype=torch.float64)
    bias = torch.randn(count, 2, places, places, generator=chance, dtype=torch.float64)
    return AttentionLayer(site, *parts, 0.7, filled.reshape(count, places), bias)


class Pass:
    """Stands in for a pass through a network that attends in windows."""

    def __init__(self) -> None:
        self.layers = (windows(FINE, 5, 6, 1), windows(FINE, 4, 7, 2), windows(COARSE, 2, 3, 3))
        chance = torch.Generator().manual_seed(9)
        self.mixed = tuple(
            torch.randn(2, *layer.v.shape, generator=chance, dtype=torch.float64)
            for layer in self.layers
        )
        self.model = SimpleNamespace(anatomy=Anatomy((), "windows", pool="mean"))
        self.logits, self.objective, self.ticks = torch.zeros(3), Objective(), 0

    def tick(self) -> None:
        self.ticks += 1

    def attention(self) -> tuple[AttentionLayer, ...]:
        return self.layers

    def attention_gradients(
        self, targets: Any, first: int = 0, *, skip_only: bool = False
    ) -> tuple[Tensor, ...]:
        assert targets == TARGETS
        return tuple(g * (0.5 if skip_only else 1) for g in self.mixed[first:])

    def site(self, block: int) -> Site:
        return self.layers[block].site

    def scores(self, index: int) -> Tensor:
        """S (g h n n) of an attention."""
        layer = self.layers[index]
        assert layer.bias is not None
        return layer.q @ layer.k.mT * 0.7 + layer.bias

    def weights(self, index: int) -> Tensor:
        """A of every head over real tokens (h t t)."""
        return self.dense(index, self.scores(index).softmax(-1))

    def gradient(self, index: int, which: int) -> Tensor:
        """∇A of every head over real tokens (h t t)."""
        return self.dense(index, self.mixed[index][which] @ self.layers[index].v.mT)

    def dense(self, index: int, blocks: Tensor) -> Tensor:
        """Π^T blockdiag Π of every head."""
        layer = self.layers[index]
        assert layer.windows is not None
        places = layer.windows.flatten()
        partition = torch.zeros(len(places), layer.site.tokens, dtype=torch.float64)
        for place, token in enumerate(places.tolist()):
            if token >= 0:
                partition[place, token] = 1
        heads = [partition.T @ torch.block_diag(*blocks[:, h]) @ partition for h in range(2)]
        return torch.stack(heads)


def split(row: Tensor) -> Tensor:
    """Each of the 2 × 2 × 1 coarse cells equally among its fine ones; the last layer is cut."""
    fine = torch.zeros(3, 4, 2, dtype=torch.float64)
    for f, h in ((0, 0), (0, 1), (1, 0), (1, 1)):
        inside = fine[2 * f : 2 * f + 2, 2 * h : 2 * h + 2]
        inside += row.reshape(2, 2)[f, h] / inside.numel()
    return fine.flatten()


def rollout(fused: Callable[[int], Tensor]) -> Tensor:
    r = torch.full((4,), 0.25, dtype=torch.float64)
    for index in (2, 1, 0):
        r = split(r) if index == 1 else r
        matrix = fused(index)
        mixed = 0.5 * matrix + 0.5 * torch.eye(len(matrix), dtype=torch.float64)
        r = r @ (mixed / mixed.sum(-1, keepdim=True))
    return r


def summed(of: Callable[[int], Tensor]) -> Tensor:
    """Sums over blocks: the coarse one's part is split."""
    return split(of(2)) + of(1) + of(0)


def generic(run: Pass, which: int) -> Tensor:
    r = torch.full((4,), 0.25, dtype=torch.float64)
    for index in (2, 1, 0):
        r = split(r) if index == 1 else r
        r = r + r @ (run.weights(index) * run.gradient(index, which)).relu().mean(0)
    return r - split(torch.full((4,), 0.25, dtype=torch.float64))


def weighted(run: Pass, index: int, which: int) -> Tensor:
    weights = run.gradient(index, which).mean(1).mean(-1)
    return weights @ run.weights(index).mean(1)


def guided(run: Pass, index: int, which: int) -> Tensor:
    felt = (0.5 * run.gradient(index, which)).relu().mean(1)
    real = run.dense(index, run.scores(index).sigmoid())
    return (felt * real.mean(1)).sum(0)


WANTED: dict[str, Callable[[Pass, int], Tensor]] = {
    "raw_attention": lambda run, _: run.weights(2).mean(0).mean(0),
    "attention_rollout": lambda run, _: rollout(lambda i: run.weights(i).mean(0)),
    "gradient_rollout": lambda run, c: rollout(
        lambda i: (run.weights(i) * run.gradient(i, c)).mean(0).relu()
    ),
    "generic_attention": generic,
    "attention_grad_cam": lambda run, c: weighted(run, 2, c) / 2,
    "i_saw": lambda run, c: summed(lambda i: weighted(run, i, c)),
    "agcam": lambda run, c: summed(lambda i: guided(run, i, c)),
}
LAST_BLOCK_ONLY = {"raw_attention", "attention_grad_cam"}


def explain(method: str) -> TokenMaps:
    found = METHODS[method].function(Pass(), TARGETS)
    assert isinstance(found, TokenMaps)
    return found


@pytest.mark.parametrize("held", [1, 2**20])
@pytest.mark.parametrize("method", WANTED)
def test_windows_are_dense_matrices_over_real_tokens(
    monkeypatch: pytest.MonkeyPatch, method: str, held: int
) -> None:
    monkeypatch.setattr(attention, "CHUNK_BYTES", held)
    maps, site = explain(method), COARSE if method in LAST_BLOCK_ONLY else FINE
    assert maps.cells == site.cells
    for which, values in enumerate(maps.values):
        wanted = WANTED[method](Pass(), which).numpy()
        assert np.ptp(wanted) > 1e-4
        np.testing.assert_allclose(values.ravel(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", WANTED)
def test_a_map_carried_through_windows_says_that_this_is_ours(method: str) -> None:
    remarks = " ".join(explain(method).remarks)
    assert ("own extension" in remarks) == (method not in LAST_BLOCK_ONLY)


def test_what_is_passed_on_adds_up_in_spite_of_padding() -> None:
    assert explain("attention_rollout").values[0].sum() == pytest.approx(1, abs=1e-12)


def test_padding_is_not_what_a_discarded_share_is_counted_by() -> None:
    maps = METHODS["attention_rollout"].function(Pass(), TARGETS, discard=0.4)
    run = Pass()

    def fused(index: int) -> Tensor:
        matrix, layer = run.weights(index).mean(0), run.layers[index]
        assert layer.windows is not None
        for window in layer.windows.tolist():
            real = [token for token in window if token >= 0]
            for row in real:
                others = sorted((t for t in real if t != row), key=lambda t: matrix[row, t])
                matrix[row, others[: int(0.4 * len(real))]] = 0
        return matrix

    np.testing.assert_allclose(maps.values[0].ravel(), rollout(fused), rtol=0, atol=1e-12)
