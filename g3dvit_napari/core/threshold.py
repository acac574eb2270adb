"""From a raw map to what is shown: is it a map at all, on which scale, cut where."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.otsu import otsu
from g3dvit_napari.core.types import Status, Threshold

Floats = NDArray[np.floating[Any]]

# A float32 sum of terms t is off by up to a few eps·Σ|t|; features that cancel leave less. Trained
# networks stay a hundred times above this, layer norms of unit weight a hundred times below.
ROUNDING = 8 * float(np.finfo(np.float32).eps)


def status_of(
    values: NDArray[np.float64], magnitude: NDArray[np.float64], *, signed: bool = True
) -> tuple[Status, str]:
    """Say whether a raw map means something, and in a sentence why not.

    Parameters
    ----------
    values
        The raw map.
    magnitude
        The sums of the absolute terms behind each value.
    signed
        Whether negative values are shown; if not, only the positive part counts.
    """
    if not (np.isfinite(values).all() and np.isfinite(magnitude).all()):
        return "not finite", (
            "The map holds values that are not finite: the volume or the network's weights do."
        )
    if not values.any():
        return "zero", "The map is zero everywhere: the class does not depend on these tokens."
    if np.abs(values).max() <= ROUNDING * magnitude.max():
        return "rounding noise", (
            "The map is no larger than the rounding error of the sums behind it, so it shows "
            "nothing. With g3dvit this happens where the layer norm has weight one and bias zero; "
            "try grad_cam, hires_cam or libra_grad."
        )
    if np.ptp(values) <= ROUNDING * np.abs(values).max():
        return "constant", "The map has the same value everywhere: no place stands out."
    if not signed and values.max() <= ROUNDING * magnitude.max():
        return "zero", (
            "Nothing is left of the map where it is positive: every patch speaks against the "
            "class. Try a signed method, or another class."
        )
    return "ok", ""


def limits_of(values: Floats, *, signed: bool) -> tuple[float, float]:
    """Return the raw values that are shown as 0 and as 1; equal ones where a map has no range.

    Unsigned maps lose their negative part and are then stretched from their smallest to their
    largest value; signed ones keep their zero.
    """
    kept = values if signed else np.maximum(values, 0.0)
    low, high = (0.0, np.abs(kept).max()) if signed else (kept.min(), kept.max())
    return (float(low), float(high)) if np.isfinite([low, high]).all() else (0.0, 0.0)


def scaled(
    values: NDArray[np.float64], limits: tuple[float, float] | None = None, *, signed: bool
) -> NDArray[np.float64]:
    """Scale a raw map for showing: to 0…1, or signed to -1…1; without a range it stays zero.

    `limits` are the raw values that become 0 and 1; None: the map's own.
    """
    low, high = limits_of(values, signed=signed) if limits is None else limits
    if high <= low:
        return np.zeros_like(values)
    kept = values if signed else np.maximum(values, 0.0)
    stretched: NDArray[np.float64] = (kept - low) / (high - low)
    return stretched


def cut_value(
    shown: Floats, threshold: Threshold, mask: NDArray[Any] | None = None, *, signed: bool = False
) -> float | None:
    """Return the value below which a threshold hides a scaled map; None when nothing is cut.

    Parameters
    ----------
    shown
        The scaled map: on patches or on voxels, as the threshold's stage says.
    threshold
        "keep" cuts at the percentile 100 - amount (between two values: linearly), and values equal
        to the cut stay, so ties can keep more than asked. "mass" keeps the fewest places that hold
        `amount` per cent of the sum of all sizes. "otsu" separates two groups of values best, by a
        histogram of 256 bins.
    mask
        Where the values count; NaN never does.
    signed
        Whether sizes, not values, are cut.
    """
    if threshold.kind == "none":
        return None
    if threshold.kind in ("value", "absolute"):
        return float(threshold.amount)
    values = shown.ravel() if mask is None else shown[mask.astype(bool)]
    sizes = np.abs(values) if signed else values
    if np.isnan(sizes).any():
        sizes = sizes[~np.isnan(sizes)]
    if sizes.size == 0:
        return None
    if threshold.kind == "otsu":
        return otsu(sizes)
    if not 0 <= threshold.amount <= 100:
        raise MethodError(
            f"{threshold.kind} must be between 0 and 100 per cent, got {threshold.amount}"
        )
    if threshold.kind == "mass":
        return _mass(sizes, threshold.amount)
    return float(np.percentile(sizes, 100.0 - threshold.amount))


def apply_cut(shown: Floats, cut: float | None, *, signed: bool) -> Floats:
    """Set to zero what lies below the cut; NaN stays NaN."""
    if cut is None:
        return shown
    below = np.abs(shown) < cut if signed else shown < cut
    return np.where(below, shown.dtype.type(0), shown)


def _mass(sizes: Floats, amount: float) -> float:
    """Return the size of the last place needed to hold a share of the sum of all."""
    falling = np.sort(sizes)[::-1].astype(np.float64)
    held = np.cumsum(falling)
    enough = held >= held[-1] * (amount / 100.0) * (1 - 1e-12)
    return float(falling[int(np.argmax(enough))])
