"""KernelSHAP's regression: Shapley values from the worth of some coalitions."""

from __future__ import annotations

from itertools import chain
from math import comb, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.sampling.game import Game, Shares


class Design(NamedTuple):
    """Coalitions (n m), pair by pair where they were drawn, and their weights (n)."""

    coalitions: Tensor
    weights: Tensor
    drawn: bool


def kernel_shares(game: Game, samples: int, seed: int) -> Shares:
    """Return the Shapley values of a game, from all its coalitions or from as many as asked."""
    players = game.players
    design = every(players) if 2**players - 2 <= samples else drawn(players, samples, seed)
    ends = torch.tensor([[False], [True]]).expand(2, players)
    worth = game.worth(chain(ends, design.coalitions), 2 + len(design.coalitions))
    return solved(design, worth[:2], worth[2:])


def every(players: int) -> Design:
    """Return all coalitions but the empty and the full one, by Shapley's kernel."""
    numbers = torch.arange(1, 2**players - 1)
    coalitions = (numbers[:, None] >> torch.arange(players)) % 2 == 1
    kernel = [0.0] + [
        (players - 1) / (comb(players, k) * k * (players - k)) for k in range(1, players)
    ]
    weights = torch.tensor(kernel, dtype=torch.float64)[coalitions.sum(1)]
    return Design(coalitions, weights, drawn=False)


def drawn(players: int, samples: int, seed: int) -> Design:
    """Return coalitions drawn by that kernel, each followed by its complement."""
    if samples < 2 * players:
        raise MethodError(
            f"{samples} samples cannot tell {players} blocks or regions apart; "
            f"draw at least {2 * players}, better {8 * players}, or choose fewer and larger ones"
        )
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.arange(1, players, dtype=torch.float64)
    chance = 1 / (sizes * (players - sizes))
    size = 1 + torch.multinomial(chance, samples // 2, replacement=True, generator=generator)
    order = torch.rand(samples // 2, players, generator=generator).argsort(1).argsort(1)
    coalitions = order < size[:, None]
    both = torch.stack([coalitions, ~coalitions], 1).flatten(0, 1)
    return Design(both, torch.ones(len(both), dtype=torch.float64), drawn=True)


def solved(design: Design, ends: Tensor, worth: Tensor) -> Shares:
    """Solve the weighted least squares under the condition that the shares add up.

    The condition eliminates the last player. `ends` are the numbers (2 k) of the empty and the
    full coalition, `worth` (n k) those of the design.
    """
    present = design.coalitions.double()
    last, others = present[:, -1:], present[:, :-1]
    features = others - last
    weighted = design.weights[:, None] * features
    gram = features.T @ weighted
    if torch.linalg.matrix_rank(gram, hermitian=True) < len(gram):
        raise MethodError("the drawn coalitions cannot tell all blocks apart; draw more samples")
    first = torch.linalg.solve(gram, weighted.T)
    hat = torch.cat([first, -first.sum(0, keepdim=True)])  # m n
    of_whole = -hat @ last  # m 1
    of_whole[-1] += 1
    whole, gains = ends[1:] - ends[:1], worth - ends[:1]
    values = hat @ gains + of_whole @ whole
    sizes = hat.abs() @ (worth.abs() + ends[0].abs()) + of_whole.abs() @ ends.abs().sum(0)[None]
    errors = _errors(hat, gains - present @ values) if design.drawn else torch.zeros_like(values)
    return Shares(values.T, sizes.T, errors.T, ends)


def _errors(hat: Tensor, residuals: Tensor) -> Tensor:
    """Return standard errors (m k) from the residuals (n k): robust, by pairs, for their number."""
    pairs, free = len(residuals) // 2, len(hat) - 1
    by_class = [
        (hat * one).unflatten(1, (pairs, 2)).sum(2).square().sum(1).sqrt() for one in residuals.T
    ]
    return torch.stack(by_class, 1) * sqrt(pairs / (pairs - free))
