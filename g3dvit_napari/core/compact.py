"""An explanation without its volume: some kilobytes, so that hundreds of them can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.spec import ModelSpec
from g3dvit_napari.core.threshold import limits_of, scaled
from g3dvit_napari.core.types import (
    Explanation,
    ExplanationRequest,
    Origin,
    Prediction,
    Status,
    Threshold,
    Volume,
)

Limits = tuple[float, float]  # the raw values that are shown as 0 and as 1


@dataclass(frozen=True, eq=False)
class CompactExplanation:
    """All of an explanation but the voxels of its volume; the one place that lays maps over them.

    raw
        The raw map (f h w), signed, one value per cell.
    cells, spec
        Where the cells lie in the input, and how a volume is brought into it.
    """

    raw: NDArray[Any]
    cells: Cells | None
    spec: ModelSpec
    request: ExplanationRequest
    prediction: Prediction
    signed: bool
    status: Status
    message: str
    seconds: float
    provenance: Mapping[str, Any]
    figures: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, explanation: Explanation) -> CompactExplanation:
        """Return what must be kept of an explanation, to lay it over its volume once more."""
        placement = explanation.scaled.placement
        return cls(
            raw=placement.tokens_of(explanation.patch_map).copy(),  # not a row of all classes
            cells=placement.map_cells,
            spec=placement.spec,
            request=explanation.request,
            prediction=explanation.prediction,
            signed=explanation.signed,
            status=explanation.status,
            message=explanation.message,
            seconds=explanation.seconds,
            provenance=explanation.provenance,
            figures=explanation.figures,
        )

    @property
    def nbytes(self) -> int:
        """What keeping it takes."""
        return int(self.raw.nbytes)

    @property
    def target(self) -> int:
        """The number of the explained class."""
        return self.prediction.number_of(self.request.target)

    @cached_property
    def limits(self) -> Limits:
        """The map's own limits, also where it was shown on the scale of several."""
        usable = self.raw if self.status == "ok" else np.zeros_like(self.raw)
        return limits_of(usable, signed=self.signed)

    def scaled(self, placement: Placement, limits: Limits | None = None) -> ScaledMap:
        """Return the map ready to be cut, on its own scale or another; zeros where it is none."""
        limits = limits or self.limits
        if self.status == "ok":
            shown = scaled(self.raw, limits, signed=self.signed)
        else:
            shown = np.zeros_like(self.raw)
        return ScaledMap(placement, shown, self.signed, limits)

    def over(self, volume: Volume, threshold: Threshold | None = None) -> Explanation:
        """Return the explanation of its volume, read again, cut as asked now or as then."""
        cut_at = threshold or self.request.threshold
        return self.laid(self.scaled(Placement(volume, self.spec, self.cells)), cut_at)

    def laid(
        self,
        ready: ScaledMap,
        threshold: Threshold,
        volume: Volume | None = None,
        origin: Origin = "memory",
    ) -> Explanation:
        """Return the explanation with its map, scaled as it is, cut by a threshold.

        Parameters
        ----------
        ready
            From `scaled`: the map, and the placement that it lies in.
        threshold
            Where it is cut.
        volume
            The volume explained, where it is not the placement's but lies on the same grid.
        origin
            Whether the network was asked for it.
        """
        placement, (shown, cut) = ready.placement, ready.shown(threshold)
        over = volume or placement.volume
        return Explanation(
            request=replace(self.request, threshold=threshold),
            prediction=self.prediction,
            patch_map=placement.patch_volume(self.raw),
            relevance=over.like(shown, "relevance"),
            field_of_view=over.like(placement.field_of_view, "field of view"),
            scaled=ready,
            target=self.target,
            cut=cut,
            status=self.status,
            message=self.message,
            seconds=self.seconds,
            provenance=self.provenance,
            figures=self.figures,
            origin=origin,
        )
