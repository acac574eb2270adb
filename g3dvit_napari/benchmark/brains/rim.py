"""Does the edge of the signal give it away? Slopes and fine detail there, against the twin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.benchmark.sample import Mask, Sample


@dataclass(frozen=True)
class Rim:
    """How the edge of the signal looks.

    slope
        Mean size of the gradient at the edge, as a share of the 99th percentile in the brain of the
        twin: above 1, an edge is steeper than anatomy ever is.
    twin_slope
        The same in the twin, where nothing was added.
    detail
        Power of the finest half of all spatial frequencies around the signal, sample over twin:
        far above 1, the generator leaves a fingerprint.
    """

    slope: float
    twin_slope: float
    detail: float


def rim_of(sample: Sample) -> Rim:
    """Return how the edge of a sample's signal looks.

    Raises
    ------
    ValueError
        When the sample has no signal.
    """
    if not sample.signal.any():
        raise ValueError("the sample has no signal; ask for one of a class that has")
    valid = np.ones(sample.data.shape, bool) if sample.valid is None else sample.valid
    edge = _edge(sample.signal) & valid
    slopes, usual = _slopes(sample.data), _slopes(sample.twin)
    steep = float(np.percentile(usual[valid], 99))
    box = _around(sample.signal)
    return Rim(
        float(slopes[edge].mean()) / steep,
        float(usual[edge].mean()) / steep,
        _detail(sample.data[box]) / _detail(sample.twin[box]),
    )


def _edge(mask: Mask) -> Mask:
    edge: Mask = ndimage.binary_dilation(mask) & ~ndimage.binary_erosion(mask)
    return edge


def _slopes(data: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(np.asarray(np.gradient(data.astype(np.float64))), axis=0))


def _around(mask: Mask) -> tuple[slice, ...]:
    (found,) = ndimage.find_objects(mask.astype(int))
    return tuple(slice(max(s.start - 2, 0), s.stop + 2) for s in found)


def _detail(data: NDArray[np.float32]) -> float:
    """Return the power above half the Nyquist frequency along any axis."""
    power = np.abs(np.fft.fftn(data)) ** 2
    axes = np.meshgrid(*(np.abs(np.fft.fftfreq(n)) for n in data.shape), indexing="ij")
    return float(power[np.max(axes, axis=0) > 0.25].sum())
