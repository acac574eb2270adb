"""The head that all brain tasks share: 5 mm, RAS, the whole brain of the template."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.benchmark.brains.grid import Array, Grid, Mask
from g3dvit_napari.benchmark.brains.subject import PEAK, Body, Subject, body, scan
from g3dvit_napari.benchmark.brains.template import template
from g3dvit_napari.benchmark.sample import Split, generator
from g3dvit_napari.core.spec import InputSpec

VERSION = 1  # part of every seed: a change of the generators must change it
BODY, EFFECT, NOISE, OTHER = range(4)  # streams of random numbers
EDGE = 5.0  # mm
GRID = Grid(
    (30, 36, 30),
    np.array([[EDGE, 0, 0, -72.5], [0, EDGE, 0, -104.5], [0, 0, EDGE, -67.5], [0, 0, 0, 1]]),
)
SCANS = {"train": 8, "valid": 1, "test": 1}  # of every subject: drawing one takes the time
SMOOTHING = 2.0  # mm, of the template: voxels of 5 mm hold no finer detail
INPUT = InputSpec(
    orientation="RAS",
    voxel_size=(EDGE, EDGE, EDGE),
    fit="crop-pad",
    crop_start=(0, 0, 0),
    intensity="zscore",
    intensity_scope="crop",
    tensor_axes="zxy",
)


@lru_cache(maxsize=512)
def body_of(split: Split, number: int) -> Body:
    """Return the random part of one subject; not to be written into."""
    return body(generator(VERSION, split, number, BODY), GRID)


def subject_of(split: Split, index: int) -> Subject:
    """Return the healthy subject of a sample; not to be written into."""
    return _subject(split, index // SCANS[split])


@lru_cache(maxsize=512)
def _subject(split: Split, number: int) -> Subject:
    return body_of(split, number).shown(template(SMOOTHING))


def scanned(signal: Array, mask: Mask, split: Split, index: int) -> NDArray[np.float32]:
    """Return the scan (x y z) of a sample; twins get the same noise. 1 is bright white matter."""
    stored = scan(signal, mask, generator(VERSION, split, index, NOISE))
    return (stored / PEAK).astype(np.float32)


def depth_of(mask: Mask) -> NDArray[np.float64]:
    """Return how many mm every voxel (x y z) lies inside a mask."""
    found: NDArray[np.float64] = ndimage.distance_transform_edt(mask, sampling=EDGE)
    return found
