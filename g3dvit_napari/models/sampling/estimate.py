"""Means of what is drawn at random, with their standard errors."""

from __future__ import annotations

import torch
from torch import Tensor


class Estimate:
    """Mean of draws (k ...) that come one at a time, after Welford (1962).

    mean
        Of the draws so far.
    size
        Mean of their sizes, or of the sizes handed in beside them.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.size = self._squares = torch.zeros(())

    def add(self, draw: Tensor, size: Tensor | None = None) -> None:
        """Take in one more draw."""
        self.count += 1
        off = draw - self.mean
        self.mean = self.mean + off / self.count
        self._squares = self._squares + off * (draw - self.mean)
        self.size = self.size + ((draw.abs() if size is None else size) - self.size) / self.count

    @property
    def standard_error(self) -> Tensor:
        """Standard error of the mean, from two draws on."""
        return (self._squares / (self.count - 1) / self.count).sqrt()


def error_figures(errors: Tensor) -> tuple[dict[str, float], ...]:
    """Return, for every class, the mean and the largest of its standard errors (k ...)."""
    return tuple(
        {"standard_error_mean": float(row.mean()), "standard_error_max": float(row.max())}
        for row in errors
    )
