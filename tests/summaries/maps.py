"""Explanations whose voxels are known: one patch per voxel, so that a map is what it was given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.result import explanation_of
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import (
    Explanation,
    ExplanationRequest,
    Prediction,
    Threshold,
    TokenMaps,
    Volume,
)

PLAIN = np.diag([2.0, 2.0, 2.0, 1.0])
# Sheared by rounding at most, tilted, anisotropic, and its first axis runs to the left.
OBLIQUE = np.array(
    [[-2.0, 0.1, 0.0, 19.0], [0.1, 1.5, -0.2, -20.0], [0.0, 0.2, 3.0, -11.0], [0.0, 0.0, 0.0, 1.0]]
)
OBLIQUE.setflags(write=False)


def explained(
    values: NDArray[Any],
    affine: NDArray[Any] = PLAIN,
    threshold: Threshold | None = None,
    *,
    signed: bool = False,
    patch: tuple[int, int, int] | None = None,
    box: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None,
    data: NDArray[Any] | None = None,
) -> Explanation:
    """Return the explanation of a volume whose map has `values` (x y z).

    `box` is where the network looks: its first voxel and its shape; by default everywhere. Without
    a patch there is one cell per voxel; with one, `values` has one value per patch.
    """
    start, shape = box or ((0, 0, 0), values.shape)
    volume = Volume(np.ones(shape) if data is None else data, np.array(affine), "made")
    spec = ModelSpec(
        network=NetworkSpec(image_size=shape, patch=patch or (1, 1, 1)),
        input=InputSpec.model_validate(
            {
                "orientation": "RAS",
                "intensity": "none",
                "tensor_axes": "xyz",
                "fit": "crop-pad",
                "crop_start": start,
            }
        ),
    )
    cells = None if patch is None else Cells.tiling(values.shape, patch)
    maps = TokenMaps(values.astype(float), np.abs(values).astype(float), cells)
    return explanation_of(
        maps,
        Placement(volume, spec),
        ExplanationRequest("made", 0, {}, threshold or Threshold("none")),
        Prediction((1.0, 0.0), (0.7, 0.3), ("a", "b")),
        signed=signed,
        seconds=0.0,
        provenance={},
    )
