"""What the tokens or voxels, and the biases, contribute to an explained number.

Our own network gives it block by block, with the graph of one block at a time; any other as one
graph from the image to the logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.models.as_found.capture import Recorded, Stage, Tick, expect
from g3dvit_napari.models.attention.row_vectors import split_among
from g3dvit_napari.models.exact_sum import exact_sum
from g3dvit_napari.models.probing.anatomy import Anatomy, Site
from g3dvit_napari.models.rules.ledger import Ledger
from g3dvit_napari.models.rules.rules import Ruled, Rules

At = Literal["tokens", "voxels"]
CHUNK_BYTES = 256 * 2**20  # of gradients held at a time


@dataclass(frozen=True, eq=False)
class Places:
    """Where shares lie: on the voxels, or on the tokens that enter each block, if there are any."""

    anatomy: Anatomy
    image_size: tuple[int, ...]
    at: At

    @property
    def image(self) -> Site:
        """The voxels."""
        return Site("", "b d f h w", 0, Cells.voxels(self.image_size))

    @property
    def tokens(self) -> bool:
        """Whether the shares lie on tokens; feature maps of a convolutional network are none."""
        sites, attention = self.anatomy.sites, self.anatomy.attention != "none"
        return self.at == "tokens" and any(
            attention or s.layout in ("b n d", "n b d") for s in sites
        )

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where the shares lie, first to last."""
        return self.anatomy.sites if self.tokens else (self.image,)

    def stage(self, number: int) -> int:
        """Return from which stage of a ledger on the biases lie behind a site."""
        return number + 1 if self.tokens else 0


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of the explained numbers of k classes; float64 on the CPU.

    places
        Where they lie.
    scores
        (k) the gradients at the logits times the logits: where a logit is explained, that logit.
    values, magnitudes
        One (k n) per site: the sum over features of z · ∇z for every token or voxel z, and the sum
        of the sizes.
    ledgers
        For each class, what the biases contribute.
    """

    places: Places
    scores: Tensor
    values: tuple[Tensor, ...]
    magnitudes: tuple[Tensor, ...]
    ledgers: tuple[Ledger, ...]

    def biases(self, number: int = 0) -> Tensor:
        """Return what the biases behind a site add up to (k)."""
        return torch.stack([ledger.total(self.places.stage(number)) for ledger in self.ledgers])

    def errors(self, number: int = 0) -> Tensor:
        """Return what tokens and biases together miss of the scores (k), or have too much."""
        return self.scores - self.values[number].sum(-1) - self.biases(number)

    def maps(self, numbers: Sequence[int] = (0,), *, biases: bool = False) -> TokenMaps:
        """Return the sum of the maps of some sites, on the cells of the first of them.

        `biases`: each place also gets what is added there behind the site.
        """
        site, first = self.places.sites[numbers[0]], numbers[0]
        values, magnitudes = (self._summed(of, numbers) for of in (self.values, self.magnitudes))
        added = self._placed(first) if biases else torch.zeros_like(values)
        values, magnitudes = values + added, magnitudes + added.abs()
        cells = (
            t[:, site.prefix :].reshape(len(t), *site.cells.shape) for t in (values, magnitudes)
        )
        raw, size = (t.numpy() for t in cells)
        unplaced = self.biases(first) - added.sum(-1)
        figures = {
            "score": self.scores,
            "explained": values[:, site.prefix :].sum(-1),
            **({"prefix_tokens": values[:, : site.prefix].sum(-1)} if site.prefix else {}),
            "biases": unplaced,
            "completeness_error": self.errors(first).abs(),
        }
        return TokenMaps(raw, size, site.cells, by_class(figures))

    def _summed(self, of: Sequence[Tensor], numbers: Sequence[int]) -> Tensor:
        sites = self.places.sites
        moved = [split_among(of[n], sites[n], sites[numbers[0]]) for n in numbers]
        return torch.stack(moved).sum(0)

    def _placed(self, number: int) -> Tensor:
        site, stage, places = self.places.sites[number], self.places.stage(number), self.places
        return torch.stack(
            [ledger.placed(stage, places.anatomy, places.image, site) for ledger in self.ledgers]
        )


def by_class(figures: Mapping[str, Tensor]) -> tuple[Mapping[str, float], ...]:
    """Return one mapping of numbers per class, given numbers (k) by name."""
    rows = zip(*(column.tolist() for column in figures.values()), strict=True)
    return tuple(dict(zip(figures, row, strict=True)) for row in rows)


def terms(site: Site, z: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum over features of z · ∇z (n) at every place, and of its sizes."""
    products = site.flat(z * gradient)[0]
    return exact_sum(products), exact_sum(products.abs())


def staged_shares(
    places: Places,
    stages: Sequence[Stage],
    entering: Sequence[Tensor],
    starts: Tensor,
    *,
    rules: Rules,
    tick: Tick,
) -> Shares:
    """Go back stage by stage; each is run again, so only one stage's graph exists at a time.

    Parameters
    ----------
    places
        Where the shares lie.
    stages
        The network in pieces, first to last; the last one yields logits.
    entering
        What enters each piece.
    starts
        Gradients (k 1 c) of the explained numbers at the logits.
    rules
        The backward rules.
    tick
        Called after each piece.
    """
    step = max(1, CHUNK_BYTES // max(x.nbytes for x in entering))
    parts = torch.split(starts, step)
    expect(tick, len(parts) * len(stages))
    return _together(
        [_staged(places, stages, entering, part, rules=rules, tick=tick) for part in parts]
    )


def _staged(
    places: Places,
    stages: Sequence[Stage],
    entering: Sequence[Tensor],
    gradients: Tensor,
    *,
    rules: Rules,
    tick: Tick,
) -> Shares:
    starts, ledgers = gradients[:, 0], tuple(Ledger() for _ in gradients)
    found: list[tuple[Tensor, Tensor]] = []
    logits: Tensor | None = None
    for index in reversed(range(len(stages))):
        ruled = Ruled(rules, stage=index + places.stage(0))
        out, gradients = _back(stages[index], entering[index], gradients, ledgers, ruled)
        logits = out[0] if logits is None else logits
        if index < len(places.sites):
            rows = [terms(places.sites[index], entering[index], row) for row in gradients]
            found.insert(0, stacked(rows))
        tick()
    scores = (starts @ cast(Tensor, logits)).cpu().double()
    values, magnitudes = zip(*found, strict=True)
    return Shares(places, scores, values, magnitudes, ledgers)


def _back(
    stage: Stage, x: Tensor, gradients: Tensor, ledgers: Sequence[Ledger], ruled: Ruled
) -> tuple[Tensor, Tensor]:
    """Return what leaves a stage, and the gradients (k ...) at what enters it."""
    with ruled:
        recorded = Recorded(stage, x)
    found = []
    for gradient, ledger in zip(gradients, ledgers, strict=True):
        ruled.books = ledger
        ((at_x,),) = recorded.pull(gradient[None])
        found.append(at_x)
    return recorded.value, torch.stack(found)


def stacked(rows: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return the values and sizes of all classes (k n), given those of each (n)."""
    value, size = (torch.stack(column) for column in zip(*rows, strict=True))
    return value, size


def _together(parts: Sequence[Shares]) -> Shares:
    """Return the shares of the classes of all parts."""
    return Shares(
        parts[0].places,
        torch.cat([part.scores for part in parts]),
        tuple(torch.cat(each) for each in zip(*(part.values for part in parts), strict=True)),
        tuple(torch.cat(each) for each in zip(*(part.magnitudes for part in parts), strict=True)),
        tuple(ledger for part in parts for ledger in part.ledgers),
    )
