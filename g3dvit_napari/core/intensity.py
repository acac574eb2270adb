"""Intensity normalisation, as a model spec asks for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.spec import InputSpec

Array = NDArray[Any]


def normalise(fitted: Array, whole: Array, rules: InputSpec) -> NDArray[np.float32]:
    """Return the fitted array with normalised intensities.

    Parameters
    ----------
    fitted
        The array on the network's grid, before normalisation.
    whole
        The whole volume, for `intensity_scope: volume`.
    rules
        The input section of the model spec.

    Raises
    ------
    VolumeError
        When the values are constant, so that there is nothing to normalise.
    """
    # Float64, because the published pipelines compute mean and deviation in it.
    scope = np.asarray(fitted if rules.intensity_scope == "crop" else whole, dtype=np.float64)
    values = np.asarray(fitted, dtype=np.float64)
    if rules.intensity != "none":
        low, scale = _shift_and_scale(scope, rules)
        values = (values - low) / scale
    if rules.intensity == "percentile":
        values = np.clip(values, 0, 1)
    if rules.clip is not None:
        values = np.clip(values, *rules.clip)
    return values.astype(np.float32)


def _shift_and_scale(scope: Array, rules: InputSpec) -> tuple[float, float]:
    if rules.intensity == "zscore-masked":
        scope = scope[scope > 0]
    if scope.size == 0 or scope.min() == scope.max():
        found = "no voxel above zero" if scope.size == 0 else f"every voxel is {scope.min():g}"
        raise VolumeError(
            f"the volume is constant where the network looks ({found}); "
            "there is nothing to explain, check the file and the crop in the model spec"
        )
    if rules.intensity in {"zscore", "zscore-masked"}:
        return float(scope.mean()), float(scope.std(ddof=rules.std_ddof)) + rules.eps
    if rules.intensity == "minmax":
        low, high = float(scope.min()), float(scope.max())
    else:
        low, high = (float(v) for v in np.percentile(scope, rules.percentiles))
    return low, (high - low) + rules.eps
