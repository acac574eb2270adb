"""k-means against scipy's, from the same beginning."""

from __future__ import annotations

import numpy as np
import torch
from scipy.cluster.vq import kmeans2

from g3dvit_napari.models.sampling.clusters import ROUNDS, centroids_of


def points(count: int = 60) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 5, generator=generator, dtype=torch.float64)


def beginning(clusters: int, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return points()[torch.randperm(60, generator=generator)[:clusters]].numpy()


def test_scipy_agrees() -> None:
    for seed in range(3):
        found = centroids_of(points(), 7, seed)
        wanted, _ = kmeans2(points().numpy(), beginning(7, seed), iter=ROUNDS, minit="matrix")
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def test_clouds_far_apart_are_found() -> None:
    clouds = points(40) * 0.01 + torch.tensor([[0.0], [100.0]]).repeat_interleave(20, 0)
    found = centroids_of(clouds, 2, seed=0).mean(1).sort().values
    torch.testing.assert_close(found, torch.tensor([0.0, 100.0]).double(), rtol=0, atol=0.01)


def test_there_are_no_more_clusters_than_points() -> None:
    torch.testing.assert_close(
        centroids_of(points(3), 10, seed=0).sort(0).values, points(3).sort(0).values
    )


def test_a_cluster_that_loses_its_points_keeps_its_place() -> None:
    same = torch.ones(4, 2, dtype=torch.float64)
    assert torch.equal(centroids_of(same, 3, seed=0), torch.ones(3, 2, dtype=torch.float64))
