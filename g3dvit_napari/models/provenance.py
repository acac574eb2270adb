"""Where an explanation comes from: checkpoint, rules, device, versions."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from g3dvit_napari.models.handle import ModelHandle

PACKAGES = ("g3dvit-napari", "torch", "numpy", "scipy", "nibabel")


def provenance_of(model: ModelHandle, warnings: tuple[str, ...]) -> dict[str, Any]:
    """Return all that must be known to repeat what a network was asked."""
    return {
        "checkpoint": dict(model.checkpoint),
        "spec": model.spec.model_dump(mode="json", exclude_none=True),
        "device": str(model.device),
        "precision": str(model.dtype).removeprefix("torch."),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "warnings": warnings,
    }
