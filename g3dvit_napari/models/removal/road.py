"""Removed voxels as the weighted means of their neighbours: ROAD in 3D (Rong et al., ICML 2022).

The weights fall as one over the squared distance: 6 faces 3/44, 12 edges 3/88, 8 corners 1/44. On
an image of depth 1 they are those of the 2D original, up to a factor.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

NOISE = 0.01  # of the image's standard deviation
TOLERANCE = 1e-3  # of the residual, relative to the right-hand side
MOST_ITERATIONS = 1000
_BY_DISTANCE = (0.0, 3 / 44, 3 / 88, 1 / 44)  # squared: itself, face, edge, corner


def filled(image: Tensor, removed: Tensor, mean: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Return images (b c f h w) in which the removed voxels solve the mean-value equations.

    Each removed voxel u fulfils Σ w_uj (x_u - x_j) = 0 over its neighbours j inside the image; all
    systems are solved together by conjugate gradients with the diagonal as preconditioner, one
    3 × 3 × 3 convolution an iteration, without a matrix. What has converged is left alone, so that
    an answer does not depend on what else is in the batch.

    Parameters
    ----------
    image
        The original (1 c f h w), or one per mask.
    removed
        (b f h w), True where a voxel goes.
    mean
        Where the iteration starts, and what is left when everything goes (c 1 1 1).
    tolerance
        Of the residual, relative to the right-hand side.
    """
    gone = removed[:, None].to(image)  # b 1 f h w
    deviation = (image - mean) * (1 - gone)
    weights = _weights(image)
    degree = _neighbours(torch.ones_like(image[:1, :1]), weights)

    def laplacian(x: Tensor) -> Tensor:
        return gone * (degree * x - _neighbours(x, weights))

    right = gone * _neighbours(deviation, weights)
    solution = _conjugate_gradients(laplacian, right, degree, tolerance)
    return torch.where(gone > 0, solution + mean, image)


def _conjugate_gradients(
    apply: Callable[[Tensor], Tensor], right: Tensor, diagonal: Tensor, tolerance: float
) -> Tensor:
    """Solve apply(x) = right for every image and channel by itself, from zero."""
    x, residual = torch.zeros_like(right), right
    scaled = residual / diagonal
    direction, product = scaled, _dot(residual, scaled)
    limit = tolerance**2 * _dot(right, right)
    for _ in range(MOST_ITERATIONS):
        active = _dot(residual, residual) > limit
        if not active.any():
            break
        applied = apply(direction)
        step = _share(product, _dot(direction, applied), active)
        x, residual = x + step * direction, residual - step * applied
        scaled = residual / diagonal
        before, product = product, torch.where(active, _dot(residual, scaled), product)
        direction = torch.where(active, scaled + _share(product, before, active) * direction, 0)
    return x


def _share(over: Tensor, under: Tensor, active: Tensor) -> Tensor:
    return torch.where(active, over / torch.where(active, under, 1), 0)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((2, 3, 4), keepdim=True)


def _weights(image: Tensor) -> Tensor:
    """Return the kernel (1 1 3 3 3)."""
    offsets = torch.tensor([1, 0, 1])
    squared = offsets[:, None, None] + offsets[None, :, None] + offsets[None, None, :]
    return torch.tensor(_BY_DISTANCE, dtype=torch.float64)[squared].to(image)[None, None]


def _neighbours(x: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum over the neighbours inside the image, each channel by itself."""
    return F.conv3d(x.flatten(0, 1)[:, None], weights, padding=1).reshape(x.shape)
