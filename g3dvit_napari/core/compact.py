"""An explanation without its volume: some kilobytes, so that hundreds of them can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    Prediction,
    Status,
    Threshold,
    Volume,
)


@dataclass(frozen=True, eq=False)
class CompactExplanation:
    """All of an explanation but the voxels of its volume.

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
            raw=placement.tokens_of(explanation.patch_map),
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

    def over(self, volume: Volume, threshold: Threshold | None = None) -> Explanation:
        """Return the explanation of its volume, read again, cut as asked now or as then."""
        placement = Placement(volume, self.spec, self.cells)
        usable = self.raw if self.status == "ok" else np.zeros_like(self.raw)
        signed = self.signed
        limits = limits_of(usable, signed=signed)
        ready = ScaledMap(placement, scaled(usable, signed=signed), signed, limits)
        cut_at = threshold or self.request.threshold
        shown, cut = ready.shown(cut_at)
        return Explanation(
            request=replace(self.request, threshold=cut_at),
            prediction=self.prediction,
            patch_map=placement.patch_volume(self.raw),
            relevance=volume.like(shown, "relevance"),
            field_of_view=volume.like(placement.field_of_view, "field of view"),
            scaled=ready,
            target=self.prediction.number_of(self.request.target),
            cut=cut,
            status=self.status,
            message=self.message,
            seconds=self.seconds,
            provenance=self.provenance,
            figures=self.figures,
            origin="memory",
        )
