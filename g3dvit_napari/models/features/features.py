"""What methods share that read features: sums over features, weights per feature, which ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.models.exact_sum import exact_sum
from g3dvit_napari.models.passes.forward import ForwardPass, gradient_chunks, to_maps

Terms = Callable[[Tensor, Tensor], Tensor]


def cell_features(run: ForwardPass, block: int) -> Tensor:
    """Return the features (n d) of a block in float64, without those of prefix tokens."""
    return run.activations(block)[run.site(block).prefix :].cpu().double()


def cell_gradients(run: ForwardPass, targets: Sequence[int], block: int) -> Iterator[Tensor]:
    """Yield the gradients (k n d) at those features for some classes at a time."""
    first = run.site(block).prefix
    for gradients in gradient_chunks(run, targets, block):
        yield gradients[:, first:]


def summed(run: ForwardPass, targets: Sequence[int], block: int, terms: Terms) -> TokenMaps:
    """Give each token the sum over features of new terms of gradients (k n d) and features."""
    features = run.activations(block)
    values, magnitude = [], []
    for gradients in gradient_chunks(run, targets, block):
        found = terms(gradients, features)
        values.append(exact_sum(found))
        magnitude.append(exact_sum(found.abs_()))
    return to_maps(run, torch.cat(values), torch.cat(magnitude), block)


def weighted(run: ForwardPass, weights: Tensor, sizes: Tensor, block: int) -> TokenMaps:
    """Give each token its features, weighted and summed: r_n = Σ_d w_d · a_nd.

    Parameters
    ----------
    run, block
        Whose features.
    weights, sizes
        (k d) float64: a weight per class and feature, and the size of the terms behind it.
    """
    features = run.activations(block).cpu().double()
    return to_maps(run, weights @ features.T, sizes @ features.T.abs(), block)


def placed(cells: Cells, values: Tensor, magnitude: Tensor) -> TokenMaps:
    """Turn float64 values and magnitudes of cells (k n) into maps."""
    raw, size = (t.reshape(len(t), *cells.shape).numpy() for t in (values, magnitude))
    return TokenMaps(raw, size, cells)


def most_varied(features: Tensor, count: int) -> Tensor:
    """Return the numbers of the features (n d) that vary most from cell to cell, in order."""
    chosen = features.var(0, correction=0).topk(min(count, features.shape[1])).indices
    return chosen.sort().values
