"""A series with blocks: spheres light up on the left, on the right, or rest; frame by frame."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from g3dvit_napari.benchmark.brains.grid import Array, Floats, Mask
from g3dvit_napari.benchmark.brains.head import (
    EFFECT,
    GRID,
    NOISE,
    SCANS,
    VERSION,
    depth_of,
    subject_of,
)
from g3dvit_napari.benchmark.brains.subject import PEAK, scan
from g3dvit_napari.benchmark.brains.template import nilearn_file
from g3dvit_napari.benchmark.sample import Sample, Split, generator

CLASSES = ("rest", "left active", "right active")
FRAMES, REPETITION_TIME = 32, 2.0  # seconds
BLOCK = 8  # frames: rest, one side, rest, the other side
SPHERES, RADIUS = 3, 12.0  # on each side; mm
AMPLITUDE = 0.3  # of the signal: ten times that of a real experiment, so that one frame shows it
DRIFT = 0.02  # of the gain, over the series
ACTIVE = 0.5  # of the largest response
OFF_MIDLINE, INSIDE = 20.0, 6.0  # mm


@dataclass(frozen=True, eq=False)
class Still:
    """What all frames of a series share: signal and brain (x y z), spheres (side, x y z), order."""

    signal: Array
    mask: Mask
    spheres: NDArray[np.bool_]
    responses: Floats  # (side, frame), 1 at the most

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of every frame: the side that is more than half active, or rest."""
        strongest = self.responses.argmax(axis=0)
        return np.where(self.responses.max(axis=0) > ACTIVE, strongest + 1, 0)


@dataclass(frozen=True, eq=False)
class Series:
    """A series and its truth, frame by frame.

    data, twin
        (x y z t) float32; the twin has no activation.
    signal
        (x y z t): the spheres that are active in a frame.
    labels
        (t) class of every frame; frames above 0 are the temporal truth.
    """

    data: Array
    twin: Array
    signal: Mask
    labels: NDArray[np.int64]
    affine: Floats
    repetition_time: float = REPETITION_TIME


def draw(split: Split, index: int) -> Sample:
    """Return frame `index` of a split, series after series."""
    number, frame = divmod(index, FRAMES)
    still = _still(split, number)
    label = int(still.labels[frame])
    return Sample(
        data=_frame(still, split, index, frame, AMPLITUDE),
        twin=_frame(still, split, index, frame, 0.0),
        signal=still.spheres[label - 1] if label else np.zeros(GRID.shape, dtype=bool),
        distractor=np.zeros(GRID.shape, dtype=bool),
        label=label,
        drawn={"series": number, "frame": frame, "response": _rounded(still, frame)},
        affine=GRID.affine,
        name=f"brain-blocks_{split}_{index}",
        twin_label=0,
        valid=still.mask,
    )


def series(split: Split, number: int) -> Series:
    """Return one whole series."""
    frames = [draw(split, number * FRAMES + frame) for frame in range(FRAMES)]
    data, twin, signal = (
        np.stack([getattr(frame, part) for frame in frames], axis=-1)
        for part in ("data", "twin", "signal")
    )
    labels = np.array([frame.label for frame in frames])
    return Series(data, twin, signal, labels, GRID.affine)


@lru_cache(maxsize=256)
def _still(split: Split, number: int) -> Still:
    rng, subject = (
        generator(VERSION, split, number, EFFECT),
        subject_of(split, number * SCANS[split]),
    )
    first = int(rng.integers(2))
    design = np.zeros((2, FRAMES))
    for turn, side in enumerate((first, 1 - first)):
        start = (2 * turn + 1) * BLOCK
        design[side, start : start + BLOCK] = 1
    spheres = np.stack([_spheres(side, subject.mask, rng) for side in (-1, 1)])
    return Still(subject.signal, subject.mask, spheres, convolved(design))


def _spheres(side: int, brain: Mask, rng: np.random.Generator) -> Mask:
    """Return spheres (x y z) at some of Power's places in one half of the brain."""
    places = power_places()
    world = GRID.positions_mm()
    index = np.rint((places - GRID.affine[:3, 3]) / GRID.edge).astype(int)
    index = index.clip(0, np.array(GRID.shape) - 1)
    deep = depth_of(brain)[tuple(index.T)] >= INSIDE
    good = places[deep & (side * places[:, 0] > OFF_MIDLINE)]
    chosen = good[rng.choice(len(good), SPHERES, replace=False)]
    apart = [np.linalg.norm(world - c[:, None, None, None], axis=0) for c in chosen]
    return cast(Mask, np.min(apart, axis=0) <= RADIUS) & brain


@lru_cache(maxsize=1)
def power_places() -> Floats:
    """Return the 264 places (n, 3) of Power et al. 2011, mm."""
    with nilearn_file("power_2011.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row[axis]) for axis in "XYZ"] for row in rows])


def convolved(design: Floats) -> Floats:
    """Return the responses (side, frame) to a design, 1 at the most: two gammas, as in SPM."""
    seconds = np.arange(0, 32, REPETITION_TIME)
    shape = stats.gamma.pdf(seconds, 6) - stats.gamma.pdf(seconds, 16) / 6
    found = np.stack([np.convolve(row, shape)[: design.shape[1]] for row in design])
    return np.asarray(found / found.max())


def _frame(still: Still, split: Split, index: int, frame: int, amplitude: float) -> Array:
    gain = 1 + DRIFT * np.sin(np.pi * frame / FRAMES)
    lit = np.einsum("s,sxyz->xyz", still.responses[:, frame], still.spheres.astype(np.float64))
    signal = (still.signal * gain * (1 + amplitude * lit)).astype(np.float32)
    stored = scan(signal, still.mask, generator(VERSION, split, index, NOISE))
    return (stored / PEAK).astype(np.float32)


def _rounded(still: Still, frame: int) -> list[float]:
    return [round(float(value), 4) for value in still.responses[:, frame]]
