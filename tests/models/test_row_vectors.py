"""Row vectors through windows and resolutions, against dense matrices; and what is held of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.models.attention import attention
from g3dvit_napari.models.attention.attention import AttentionLayer, Piece
from g3dvit_napari.models.attention.row_vectors import carried, row_times, split_among
from g3dvit_napari.models.probing.anatomy import Site

FINE = Site("fine", "b f h w d", 0, Cells.tiling((3, 4, 2), (2, 2, 2)))
COARSE = Site("coarse", "b f h w d", 0, Cells.tiling((2, 2, 1), (4, 4, 4)))  # the first axis padded


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def windowed(seed: int = 0) -> AttentionLayer:
    """24 tokens in 5 windows of 6 places, shuffled as a shift does, 6 places of padding."""
    places = torch.cat([torch.arange(24), torch.full((6,), -1)])
    order = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    q, k, v = (noise(5, 3, 6, 4, seed=seed + n) for n in range(3))
    bias = noise(1, 3, 6, 6, seed=seed + 3)
    return AttentionLayer(FINE, q, k, v, 0.5, places[order].reshape(5, 6), bias)


def dense(layer: AttentionLayer, blocks: Tensor) -> Tensor:
    """Π^T blockdiag(blocks) Π, restricted to real tokens."""
    assert layer.windows is not None
    places = layer.windows.flatten()
    partition = torch.zeros(len(places), layer.site.tokens, dtype=torch.float64)
    for place, token in enumerate(places.tolist()):
        if token >= 0:
            partition[place, token] = 1
    return partition.T @ torch.block_diag(*blocks) @ partition


def means(piece: Piece, which: int) -> Tensor:
    """A matrix for each of the rows, not the same one."""
    return (which + 1) * piece.weights.mean(1, keepdim=True)


@pytest.mark.parametrize("held", [1, 700, 2**20])
def test_windows_are_a_block_diagonal_matrix_in_disguise(
    monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(attention, "CHUNK_BYTES", held)
    layer, r = windowed(), noise(2, 1, 24, seed=9)
    scores = torch.einsum("ghie,ghje->ghij", layer.q, layer.k) * 0.5 + layer.bias
    matrix = dense(layer, scores.softmax(-1).mean(1))
    assert (matrix.sum(-1) < 0.999).any()  # some attention goes to padding
    shares, moved = row_times(layer, r, means)
    torch.testing.assert_close(shares, r)
    for which in range(2):
        wanted = r[which] @ matrix * (which + 1)
        torch.testing.assert_close(moved[which], wanted, rtol=0, atol=1e-12)
    halved, moved = row_times(layer, r, means, lambda sums: 0.5 + 0.5 * sums)
    wanted = r[0] / (0.5 + 0.5 * matrix.sum(-1))
    torch.testing.assert_close(halved[0], wanted, rtol=0, atol=1e-12)
    torch.testing.assert_close(moved[0], wanted @ matrix, rtol=0, atol=1e-12)


def test_no_more_is_held_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site("all", "b n d", 1, Cells.tiling((9, 1, 1), (1, 1, 1)))
    q, k, v = (noise(1, 3, 10, 4, seed=n) for n in range(3))
    layer = AttentionLayer(site, q, k, v, 1.0)
    for held, shapes in ((1, [1] * 10), (3 * 10 * 8 * 4, [4, 4, 2]), (10**6, [10])):
        monkeypatch.setattr(attention, "CHUNK_BYTES", held)
        assert [piece.weights.shape[2] for piece in layer.pieces()] == shapes
    monkeypatch.setattr(attention, "CHUNK_BYTES", 3 * 6 * 8 * 6 * 2)
    assert [piece.weights.shape[0] for piece in windowed().pieces()] == [2, 2, 1]


def test_rows_of_zeros_at_the_end_are_not_computed() -> None:
    layer, seen = windowed(), []

    def matrix(piece: Piece, _which: int) -> Tensor:
        seen.append(piece.rows)
        return piece.weights.mean(1, keepdim=True)

    assert layer.windows is not None
    r = torch.zeros(1, 1, 24, dtype=torch.float64)
    r[0, 0, layer.windows[2, 1]] = 1
    row_times(layer, r, matrix)
    assert seen == [slice(0, 2)]
    assert not row_times(layer, torch.zeros_like(r), matrix)[1].any()


def test_a_gradient_of_few_rows_counts_as_zero_below() -> None:
    layer = windowed()
    mixed = noise(5, 3, 2, 4, seed=7)
    (piece,) = layer.pieces()
    found = piece.gradient(mixed)
    torch.testing.assert_close(found[:, :, :2], mixed @ layer.v.mT)
    assert found.shape == (5, 3, 6, 6)
    assert not found[:, :, 2:].any()


def test_rows_divided_by_nothing_count_as_nothing() -> None:
    _, moved = row_times(windowed(), noise(1, 1, 24), means, torch.zeros_like)
    assert not moved.any()


def test_a_coarse_cell_is_split_equally_among_the_finer_cells_inside() -> None:
    values = torch.tensor([[1.0, 2.0, 4.0, 8.0]], dtype=torch.float64)
    found = split_among(values, COARSE, FINE).reshape(3, 4, 2)
    assert found.sum() == values.sum()
    # the first coarse layer holds 2 × 2 × 2 fine cells per cell, the second is cut to 1 × 2 × 2
    assert torch.equal(found[:2, :2], torch.full((2, 2, 2), 1 / 8, dtype=torch.float64))
    assert torch.equal(found[1, 2:], torch.full((2, 2), 2 / 8, dtype=torch.float64))
    assert torch.equal(found[2, :2], torch.full((2, 2), 4 / 4, dtype=torch.float64))
    assert torch.equal(found[2, 2:], torch.full((2, 2), 8 / 4, dtype=torch.float64))
    assert split_among(values, COARSE, COARSE) is values


def test_tokens_in_front_of_the_cells_stay_there() -> None:
    cells = Cells.tiling((2, 1, 1), (4, 4, 4)), Cells.tiling((4, 1, 1), (2, 4, 4))
    coarse, fine = (Site("s", "b n d", 1, c) for c in cells)
    found = split_among(torch.tensor([5.0, 2.0, 6.0]), coarse, fine)
    assert found.tolist() == [5, 1, 1, 3, 3]


def test_vectors_are_carried_from_the_last_attention_to_the_first() -> None:
    q = noise(1, 2, 4, 3)
    layers = (windowed(), windowed(5), AttentionLayer(COARSE, q, q, q, 1.0))
    ticks: list[int] = []
    start = noise(1, 1, 4, seed=3)

    def step(index: int, r: Tensor) -> Tensor:
        ticks.append(index)
        return row_times(layers[index], r, means)[1]

    found = carried(layers, start, step, lambda: ticks.append(-1))
    assert ticks == [2, -1, 1, -1, 0, -1]
    r = start @ (q @ q.mT).softmax(-1)[0].mean(0)
    r = split_among(r, COARSE, FINE)
    for layer in (layers[1], layers[0]):
        scores = layer.q @ layer.k.mT * 0.5 + layer.bias
        r = r @ dense(layer, scores.softmax(-1).mean(1))
    torch.testing.assert_close(found, r, rtol=0, atol=1e-12)


def test_half_precision_is_widened_before_the_softmax() -> None:
    q, k, v = (noise(1, 2, 50, 8, seed=n).bfloat16() for n in range(3))
    site = Site("all", "b n d", 0, Cells.tiling((50, 1, 1), (1, 1, 1)))
    (piece,) = AttentionLayer(site, q, k, v, 1.0).pieces()
    assert piece.weights.dtype == piece.gradient(q).dtype == torch.float32
    wanted = (q.double() @ k.double().mT).softmax(-1)
    torch.testing.assert_close(piece.weights.double(), wanted, rtol=1e-4, atol=1e-7)
