"""Shapley values by sampling permutations (Castro, Gómez and Tejada, 2009)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Annotated

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.baselines import Baseline, baseline_of
from g3dvit_napari.models.sampling.estimate import Estimate
from g3dvit_napari.models.sampling.game import Game, Shares
from g3dvit_napari.models.sampling.parts import parts_of


@METHODS.register(
    "Shapley sampling",
    signed=True,
    cost="many passes",
    reference="Castro et al., 2009, doi:10.1016/j.cor.2008.04.004; pairs after Mitchell et al., "
    "JMLR 2022",
)
def shapley_sampling(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    pairs: Annotated[int, {"min": 2, "max": 100000}] = 5,
    group: Annotated[int, {"min": 0, "max": 64}] = 0,
    regions: str = "",
    baseline: Baseline = "background",
    baseline_file: str = "",
    seed: Annotated[int, {"min": 0}] = 0,
) -> TokenMaps:
    """Add blocks of patches to a baseline in random order and see what each one changes.

    Block n gets r_n = 1/P Σ_π (s(before_π(n) ∪ {n}) - s(before_π(n))), the mean over P orders π of
    what it adds to the blocks in front of it. Orders come in pairs, one and its reverse, which
    cancels much of the chance. The blocks add up to s(x) - s(∅) exactly. Blocks that equal the
    baseline get zero and take no part. Reported are standard errors over the pairs. The sign has a
    meaning: negative blocks speak against the class.

    Blocks may be the regions of an atlas: each patch counts to the label that most of its voxels
    carry, and a patch of label 0 to none; it is never hidden. A region's value is divided evenly
    among its patches, so that the map adds up to the values of all regions, which is s(x) - s(∅);
    ∅ hides all regions. The standard errors are those of undivided values.

    Parameters
    ----------
    pairs
        Orders with their reverses: about two forward passes per block and pair.
    group
        Patches along each side of a block; 0: as few as make at most 200 blocks.
    regions
        An image of labels with the shape and affine of the explained volume; instead of a group.
    baseline
        What stands in place of an absent block: the commonest value on the outer faces
        ("background"), "zero", the "mean" of the image, the image under a "blur" a tenth of its
        length wide, or another volume ("file").
    baseline_file
        For the baseline "file" only: a volume with the shape and affine of the explained one.
    seed
        Another seed draws other orders.
    """
    parts = parts_of(run, group, regions)
    game = Game(run, parts, baseline_of(run, baseline, baseline_file), targets)
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(game.players, generator=generator) for _ in range(pairs)]
    return game.maps(sampled_shares(game, orders))


def sampled_shares(game: Game, orders: list[Tensor]) -> Shares:
    """Return the mean of what each player adds, over orders and their reverses."""
    both = [order for one in orders for order in (one, one.flip(0))]
    ends = [torch.zeros(game.players, dtype=torch.bool), torch.ones(game.players, dtype=torch.bool)]
    between = (coalition for order in both for coalition in growing(order))
    inner = game.players - 1
    worth = game.worth(chain(ends, between), 2 + len(both) * inner)
    nobody, everybody = worth[:1], worth[1:2]
    met = worth[2:].reshape(len(both), inner, worth.shape[1])
    estimate = Estimate()
    for number in range(0, len(both), 2):
        found = [
            _added(torch.cat([nobody, met[n], everybody]), both[n]) for n in (number, number + 1)
        ]
        values, sizes = (sum(parts) / 2 for parts in zip(*found, strict=True))
        estimate.add(values, sizes)
    return Shares(estimate.mean, estimate.size, estimate.standard_error, worth[:2])


def growing(order: Tensor) -> Iterator[Tensor]:
    """Yield the coalitions (m) of the first one, two ... players of an order, but not of all."""
    place = order.argsort()
    for present in range(1, len(order)):
        yield place < present


def _added(worth: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """Return what each player adds (k m), from the worth (m+1 k) as they come, and its size."""
    place = order.argsort()
    changes, sizes = worth[1:] - worth[:-1], worth[1:].abs() + worth[:-1].abs()
    return changes[place].T, sizes[place].T
