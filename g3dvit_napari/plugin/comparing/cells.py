"""What a cell of a comparison shows: a map on the scale of the comparison."""

from __future__ import annotations

from math import isnan
from typing import Any, Protocol

from numpy.typing import NDArray

from g3dvit_napari.core.chance import p_of
from g3dvit_napari.core.types import Explanation, Threshold, Volume
from g3dvit_napari.plugin.comparing.scale import Scale
from g3dvit_napari.plugin.threshold.wording import number


class Cell(Protocol):
    """Values over an anatomy, and where a threshold cuts them."""

    @property
    def title(self) -> str:
        """What stands above it."""

    @property
    def facts(self) -> tuple[str, ...]:
        """What stands below the title: of what it is."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be known to read it."""

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
    def facts(self) -> tuple[str, ...]:
        """The class and its probability, or the value of a regression."""
        found, name = self.explanation, self.explanation.target_name
        if isnan(found.probability):
            return (f"{name}: {found.prediction.logits[0]:.4g}",)
        sure = p_of(found.probability)
        return (sure if name == self.title else f"{name}, {sure}",)

    @property
    def remarks(self) -> tuple[str, ...]:
        """That there is nothing to show, and why; or how weak the map is on the common scale."""
        if self.explanation.status != "ok":
            return (f"shows nothing: {self.explanation.status}",)
        peak = self.scale.peak(self.explanation)
        return () if peak is None else (f"peak {number(peak)} of the scale",)

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
