"""Explain 3D Vision Transformers on brain volumes: in napari, in Python and in the shell.

The public names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from g3dvit_napari.api import (
        METHODS,
        METRICS,
        Explanation,
        ExplanationRequest,
        ModelSpec,
        Prediction,
        Threshold,
        Volume,
        evaluate,
        explain,
        explain_classes,
        inspect_checkpoint,
        load_frames,
        load_model,
        load_volume,
        predict,
        rethreshold,
        save,
    )

__version__ = "0.1.0"
__all__ = [
    "METHODS",
    "METRICS",
    "Explanation",
    "ExplanationRequest",
    "ModelSpec",
    "Prediction",
    "Threshold",
    "Volume",
    "evaluate",
    "explain",
    "explain_classes",
    "inspect_checkpoint",
    "load_frames",
    "load_model",
    "load_volume",
    "predict",
    "rethreshold",
    "save",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from g3dvit_napari import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
