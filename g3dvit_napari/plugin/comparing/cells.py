"""What a cell of a comparison shows: a map on the scale of the comparison."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from g3dvit_napari.core.types import Explanation, Threshold, Volume
from g3dvit_napari.plugin.comparing.scale import Scale


class Cell(Protocol):
    """Values over an anatomy, and where a threshold cuts them."""

    @property
    def title(self) -> str:
        """What stands above it."""

    @property
    def subtitle(self) -> str:
        """What stands below the title, if anything."""

    @property
    def signed(self) -> bool:
        """Whether values run to both sides of zero."""

    @property
    def volume(self) -> Volume:
        """A volume on the grid of the values."""

    @property
    def limit(self) -> float:
        """The value at the end of the colour bar."""

    def values(self) -> NDArray[Any]:
        """Return the values (x y z); NaN where there is none."""

    def cut(self, threshold: Threshold) -> float | None:
        """Return where a threshold cuts, as a share of the limit; None when nothing is cut."""


class MapCell:
    """One explanation on a scale."""

    limit = 1.0

    def __init__(self, title: str, explanation: Explanation, scale: Scale) -> None:
        self.title, self.explanation, self.scale = title, explanation, scale

    @property
    def subtitle(self) -> str:
        """That there is nothing to show, and why."""
        status = self.explanation.status
        return "" if status == "ok" else f"shows nothing: {status}"

    @property
    def signed(self) -> bool:
        """Whether negative values mean something."""
        return self.explanation.signed

    @property
    def volume(self) -> Volume:
        """A volume on the grid of the values."""
        return self.explanation.relevance

    def values(self) -> NDArray[Any]:
        """Return the values (x y z); NaN where there is none."""
        return self.scale.voxels(self.explanation)

    def cut(self, threshold: Threshold) -> float | None:
        """Return where a threshold cuts, on the scale; None when nothing is cut."""
        return self.scale.cut(self.explanation, threshold)
