"""What explaining a network needs to know of it: where its cells and its attention are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from g3dvit_napari.core.cells import Cells

Layout = Literal["b n d", "n b d", "b f h w d", "b d f h w"]
Pool = Literal["cls", "mean", "other"]


@dataclass(frozen=True)
class Site:
    """A module whose output holds one vector per cell: a norm before attention, a feature map.

    name
        Dotted name of the module.
    layout
        The axes of its output: tokens, a channels-last grid, or a channels-first grid.
    prefix
        Tokens in front of the cells, such as a class token; only for tokens.
    cells
        Where the cells lie in the network's input.
    entering
        Whether the vectors are those that enter the module, not those that leave it.
    """

    name: str
    layout: Layout
    prefix: int
    cells: Cells
    entering: bool = False

    @property
    def tokens(self) -> int:
        """Number of vectors, prefix tokens included."""
        return self.prefix + self.cells.count

    def flat(self, output: Tensor) -> Tensor:
        """Return an output as tokens (b n d): prefix tokens, then cells, the last axis fastest."""
        if self.layout == "b d f h w":
            return output.flatten(2).transpose(1, 2)
        if self.layout == "n b d":
            return output.transpose(0, 1)
        return output.flatten(1, -2)

    def shaped(self, tokens: Tensor) -> Tensor:
        """Undo `flat`: return tokens (b n d) in the module's own layout."""
        if self.layout == "b n d":
            return tokens
        if self.layout == "n b d":
            return tokens.transpose(0, 1)
        if self.layout == "b f h w d":
            return tokens.reshape(len(tokens), *self.cells.shape, -1)
        return tokens.mT.reshape(len(tokens), -1, *self.cells.shape)


@dataclass(frozen=True)
class Anatomy:
    """What running a network once has shown.

    sites
        First to last: of a transformer the norm in front of each attention, of a convolutional
        network the last feature map of each resolution.
    attention
        How the tokens of each site meet: all with all ("global"), in windows, or not at all.
    windows
        For windowed attention, one per site: (g n) the token that stands at each place of each
        window, -1 for padding. Empty otherwise.
    leaving
        Where tokens leave the blocks of the last sites, as far as these share one grid and the head
        can be put behind them: one per site, up to the last. Empty where it cannot.
    pool
        How the head reads the last tokens.
    linear_head
        Whether features are averaged over all cells and then classified by one linear layer.
    averaged
        Where these features are; None for our own networks, and where there are none.
    activation
        The activation behind the logits ("Tanh"), which is explained before it; "" for none.
    remarks
        What a user should know of what was found.
    """

    sites: tuple[Site, ...]
    attention: Literal["global", "windows", "none"] = "none"
    windows: tuple[Tensor, ...] = ()
    leaving: tuple[Site, ...] = ()
    pool: Pool = "other"
    linear_head: bool = False
    averaged: Site | None = None
    activation: str = ""
    remarks: tuple[str, ...] = ()
