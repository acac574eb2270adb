"""k-means, the same each time for the same seed."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 20


def centroids_of(points: Tensor, clusters: int, seed: int) -> Tensor:
    """Return the centroids (m d) of points (n d) by Lloyd's algorithm, from random points on.

    At most as many as there are points. A cluster that loses all its points keeps its centroid.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(points), generator=generator)[:clusters]
    centroids = points[chosen.to(points.device)]
    nearest = None
    for _ in range(ROUNDS):
        before, nearest = nearest, _nearest(points, centroids)
        if before is not None and torch.equal(before, nearest):
            break
        members = torch.nn.functional.one_hot(nearest, len(centroids)).to(points)
        counts = members.sum(0)[:, None]
        centroids = torch.where(counts > 0, members.T @ points / counts.clamp(min=1), centroids)
    return centroids


def _nearest(points: Tensor, centroids: Tensor) -> Tensor:
    """Return the number of the nearest centroid (n); |p|² is the same for all and left out."""
    return (centroids.square().sum(1) - 2 * points @ centroids.T).argmin(1)
