"""From a raw token map to an explanation that lies on the volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.threshold import limits_of, scaled, status_of
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
    placement = placement.with_cells(raw.cells)
    usable = raw.values if status == "ok" else np.zeros_like(raw.values)
    limits = limits_of(usable, signed=signed)
    ready = ScaledMap(placement, scaled(usable, signed=signed), signed, limits)
    shown, cut = ready.shown(request.threshold)
    volume = placement.volume
    return Explanation(
        request=request,
        prediction=prediction,
        patch_map=placement.patch_volume(raw.values),
        relevance=volume.like(shown, "relevance"),
        field_of_view=volume.like(placement.field_of_view, "field of view"),
        scaled=ready,
        target=prediction.number_of(request.target),
        cut=cut,
        status=status,
        message=message,
        seconds=seconds,
        provenance=provenance,
        figures=raw.figures[0] if raw.figures else {},
        origin=origin,
    )
