"""Sums in float64, also of what lies on a device that has none."""

from __future__ import annotations

import torch
from torch import Tensor

WITHOUT_FLOAT64 = frozenset({"mps"})


def exact_sum(terms: Tensor, dim: int = -1) -> Tensor:
    """Sum in float64, so that what cancels leaves no more noise than the terms brought along."""
    if terms.device.type in WITHOUT_FLOAT64:
        terms = terms.cpu()
    return terms.sum(dim, dtype=torch.float64).cpu()
