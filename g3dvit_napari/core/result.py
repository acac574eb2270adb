"""From a raw token map to an explanation that lies on the volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from g3dvit_napari.core.compact import CompactExplanation
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.threshold import status_of
from g3dvit_napari.core.types import Explanation, ExplanationRequest, Origin, Prediction, TokenMaps


def explanation_of(
    raw: TokenMaps,
    placement: Placement,
    request: ExplanationRequest,
    prediction: Prediction,
    *,
    signed: bool,
    seconds: float,
    provenance: Mapping[str, Any],
    origin: Origin = "network",
) -> Explanation:
    """Judge, scale, cut and place one raw map (f h w) of one class.

    A degenerate map is shown as zeros, with its status and a sentence: noise is never scaled up.
    """
    status, message = status_of(raw.values, raw.magnitude, signed=signed)
    found = CompactExplanation(
        raw=raw.values,
        cells=raw.cells,
        spec=placement.spec,
        request=request,
        prediction=prediction,
        signed=signed,
        status=status,
        message=message,
        seconds=seconds,
        provenance=provenance,
        figures=raw.figures[0] if raw.figures else {},
    )
    ready = found.scaled(placement.with_cells(raw.cells))
    return found.laid(ready, request.threshold, origin=origin)
