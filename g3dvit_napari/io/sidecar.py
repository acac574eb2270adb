"""The JSON beside a result: standard BIDS keys, and how to repeat the explanation.

It holds names and hashes, never folders or host names, and no NaN, which JSON does not know.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from g3dvit_napari.core.types import Explanation


def sidecar_text(explanation: Explanation, names: Sequence[str]) -> str:
    """Return the sidecar of the two maps `names[0]` and `names[1]` as JSON text."""
    content = {**_standard(explanation, names), "Explanation": _own(explanation)}
    return json.dumps(as_json(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def provenance_text(explanation: Explanation) -> str:
    """Return how to repeat an explanation, as JSON text for files that hold no map."""
    return json.dumps(as_json(_own(explanation)), ensure_ascii=False, allow_nan=False)


def _standard(explanation: Explanation, names: Sequence[str]) -> dict[str, Any]:
    source = explanation.relevance.source
    cell = " x ".join(f"{size:g}" for size in explanation.scaled.placement.cells.size)
    space = [part for part in names[0].split("_") if part.startswith("space-")]
    resolutions = {
        _resolution(names[0]): f"one value per cell of {cell} voxels of the network's input, raw",
        _resolution(names[1]): "the input's own grid, scaled and thresholded; NaN: never seen",
    }
    return {
        "Description": f"{explanation.request.method} relevance of class "
        f"{explanation.target_name!r} of a 3D network",
        "Sources": [source.name] if source else [],
        "SpatialReference": space[0].removeprefix("space-") if space else "orig",
        "Resolution": resolutions,
    }


def _own(explanation: Explanation) -> dict[str, Any]:
    request, prediction = explanation.request, explanation.prediction
    given = explanation.provenance
    checkpoint: Mapping[str, Any] = given.get("checkpoint") or {}
    source = explanation.relevance.source
    threshold = request.threshold
    return {
        "Method": request.method,
        "Parameters": request.parameters,
        "Objective": request.objective,
        "Against": None if request.against is None else _class(explanation, int(request.against)),
        "TargetClass": _class(explanation, explanation.target),
        "PredictedClass": _class(explanation, prediction.predicted),
        "Threshold": {
            "Kind": threshold.kind,
            "Amount": threshold.amount,
            "Stage": threshold.stage,
            "Cut": explanation.cut,
        },
        "Status": explanation.status,
        "Message": explanation.message,
        "CellVoxels": explanation.scaled.placement.cells.size,
        "Figures": explanation.figures,
        "ModelInputSpec": given.get("spec"),
        "FramePolicy": (source.frame if source else "") or "3-D volume",
        "CheckpointSHA256": checkpoint.get("sha256"),
        "CheckpointName": checkpoint.get("name"),
        "InputSHA256": source.sha256 if source else None,
        "SoftwareVersions": given.get("versions"),
        "Device": given.get("device"),
        "Precision": given.get("precision"),
        "AffineSource": source.affine_source if source else "array",
        "Warnings": [*(source.warnings if source else ()), *(given.get("warnings") or ())],
        "Seconds": explanation.seconds,
        "CreatedAt": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _class(explanation: Explanation, number: int) -> dict[str, Any]:
    prediction = explanation.prediction
    return {
        "Index": number,
        "Name": prediction.class_names[number],
        "Logit": prediction.logits[number],
        "Probability": prediction.probabilities[number],
    }


def _resolution(name: str) -> str:
    return next(part[4:] for part in name.split("_") if part.startswith("res-"))


def as_json(value: Any) -> Any:
    """Return a value in JSON's own types: NaN and Inf become null, paths their last name."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return as_json(value.tolist())
    if isinstance(value, str | Path):
        return _without_folders(str(value))
    if isinstance(value, Sequence | set | frozenset):
        return [as_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | None) else str(value)


def _without_folders(text: str) -> str:
    """Return an absolute path's last name; any other text as it is."""
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(text)
        if path.is_absolute() and path.name:
            return path.name
    return text
