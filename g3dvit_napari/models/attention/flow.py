"""Largest flows through a layered graph of attention, from what reads the answer to each input."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from torch import Tensor

from g3dvit_napari.models.attention.attention import AttentionLayer
from g3dvit_napari.models.probing.anatomy import Site

UNITS = 10**9  # capacities are whole numbers of this share; the algorithm counts in 32 bits
SECONDS_PER_EDGE = 1e-7  # for one flow; measured on one core: 0.3e-7 to 1.0e-7

Ints = NDArray[np.int32]


def groups_of(site: Site, edge: int) -> Tensor:
    """Return which group each token is in (t): cells share one with their edge³ neighbours.

    Tokens in front of the cells are groups of their own and come first.
    """
    counts = [-(-n // edge) for n in site.cells.shape]
    along = [torch.arange(n) // edge for n in site.cells.shape]
    f, h, w = torch.meshgrid(*along, indexing="ij")
    cells = ((f * counts[1] + h) * counts[2] + w).flatten()
    return torch.cat([torch.arange(site.prefix), cells + site.prefix])


def grouped(layer: AttentionLayer, groups: Tensor) -> NDArray[np.float64]:
    """Return ½ mean_h A + ½ I between groups: summed over keys, averaged over queries."""
    count = int(groups.max()) + 1
    groups = groups.to(layer.q.device)
    total = torch.zeros(count, count, device=layer.q.device, dtype=torch.float32)
    total = total.to(torch.promote_types(total.dtype, layer.q.dtype))
    for piece in layer.pieces():
        fused = piece.weights[0].mean(0)
        columns = fused.new_zeros(len(fused), count).index_add_(1, groups, fused)
        total.index_add_(0, groups[piece.rows], columns)
    sizes = torch.bincount(groups, minlength=count)
    matrix = (total / sizes[:, None]).cpu().double().numpy()
    mixed: NDArray[np.float64] = 0.5 * matrix + 0.5 * np.eye(count)
    return mixed


def seconds_for(groups: int, keys: int, layers: int) -> float:
    """Return how long all flows will take, roughly."""
    return SECONDS_PER_EDGE * groups * layers * groups * min(keys, groups)


class LayeredGraph:
    """Tokens in layers, the input first; every query is a source of what its keys may take.

    Parameters
    ----------
    matrices
        First to last (n n): how much query i of one layer may draw from key j of the layer below.
    start
        (n) how much may be drawn from the tokens of the last layer.
    keys
        How many keys of each query are kept, the largest.
    """

    def __init__(
        self, matrices: Iterable[NDArray[np.float64]], start: NDArray[np.float64], keys: int
    ) -> None:
        self._tokens = len(start)
        parts = [
            self._edges(matrix, layer * self._tokens, keys) for layer, matrix in enumerate(matrices)
        ]
        top = len(parts) * self._tokens
        self._source = top + self._tokens
        tokens = np.arange(self._tokens)
        parts.append((np.full(self._tokens, self._source), top + tokens, _units(start)))
        queries, below, capacities = (np.concatenate(column) for column in zip(*parts, strict=True))
        used = capacities > 0
        shape = (self._source + 1, self._source + 1)
        self._graph = csr_array((capacities[used], (queries[used], below[used])), shape=shape)

    def _edges(
        self, matrix: NDArray[np.float64], below: int, keys: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Ints]:
        kept = min(keys, self._tokens)
        largest = np.argpartition(-matrix, kept - 1, axis=1)[:, :kept]
        queries = np.repeat(np.arange(self._tokens), kept) + below + self._tokens
        capacities = np.take_along_axis(matrix, largest, axis=1)
        return queries, largest.ravel() + below, _units(capacities.ravel())

    def flows(self, tick: Callable[[], None]) -> NDArray[np.float64]:
        """Return the largest flow to every token of the first layer alone, as shares of all."""
        found = np.zeros(self._tokens)
        for token in range(self._tokens):
            found[token] = maximum_flow(self._graph, self._source, token).flow_value
            tick()
        shares: NDArray[np.float64] = found / found.sum()
        return shares


def _units(capacities: NDArray[np.float64]) -> Ints:
    return np.rint(capacities * UNITS).astype(np.int32)
