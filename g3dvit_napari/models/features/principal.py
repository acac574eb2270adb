"""The first principal component of a table of tokens, with a sign."""

from __future__ import annotations

import torch
from scipy.linalg import eigh
from torch import Tensor


def projection(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Project centred rows (n d) on their first right singular vector.

    The sign of a singular vector is arbitrary; it is chosen such that the largest value in size is
    positive (the rule of Seg-Eigen-CAM).

    Returns
    -------
    values, magnitude
        (n) float64, and the sum of the absolute terms behind each.
    """
    mean = rows.mean(0)
    centred = rows - mean
    if not centred.isfinite().all():
        return centred.sum(1), centred.abs().sum(1)
    direction = _first_direction(centred)
    values = centred @ direction
    if -values.min() > values.max():
        values = -values
    return values, (rows.abs() + mean.abs()) @ direction.abs()


def _first_direction(centred: Tensor) -> Tensor:
    """Return the first right singular vector (d), from the smaller of the two Gram matrices."""
    n, d = centred.shape
    gram = centred.T @ centred if d < n else centred @ centred.T
    last = len(gram) - 1
    _, vectors = eigh(gram.numpy(), subset_by_index=(last, last))
    vector = torch.from_numpy(vectors[:, 0])
    if d < n:
        return vector
    direction = centred.T @ vector
    length = direction.norm()
    return direction / length if length > 0 else direction
