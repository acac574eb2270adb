"""Usual or enlarged ventricles: the evidence is a deformation, and its mask comes from the pair."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import ndimage

from g3dvit_napari.benchmark.brains.flow import flow
from g3dvit_napari.benchmark.brains.grid import Array, Mask
from g3dvit_napari.benchmark.brains.head import (
    EFFECT,
    GRID,
    SCANS,
    SMOOTHING,
    VERSION,
    body_of,
    scanned,
)
from g3dvit_napari.benchmark.brains.subject import Subject
from g3dvit_napari.benchmark.brains.template import template
from g3dvit_napari.benchmark.sample import Sample, Split, generator

CLASSES = ("usual ventricles", "enlarged ventricles")
AMPLITUDES = ((0.0, 1.5), (2.5, 4.5))  # mm of velocity, uniform, of each class
CHANGED = 0.05  # of the brain's robust range: where the pair differs by more, there is the signal


def draw(split: Split, index: int) -> Sample:
    """Return sample number `index` of a split; the twin is the same brain in the other class."""
    rng = generator(VERSION, split, index, EFFECT)
    label = int(rng.integers(len(CLASSES)))
    amplitudes = [rng.uniform(*limits) for limits in AMPLITUDES]
    drawn = body_of(split, index // SCANS[split])
    pulls = [partial(flow().pull, amplitude=amplitude) for amplitude in amplitudes]
    usual, large = (drawn.shown(template(SMOOTHING), pull) for pull in pulls)
    brain = usual.mask | large.mask
    shown, other = (large, usual) if label else (usual, large)
    return Sample(
        data=_scanned(shown, brain, split, index),
        twin=_scanned(other, brain, split, index),
        signal=changed(usual.signal, large.signal, brain),
        distractor=np.zeros(GRID.shape, dtype=bool),
        label=label,
        drawn={"amplitude": amplitudes[label], "twin_amplitude": amplitudes[1 - label]},
        affine=GRID.affine,
        name=f"brain-ventricles_{split}_{index}",
        twin_label=1 - label,
        valid=ndimage.binary_fill_holes(brain),
    )


def changed(first: Array, second: Array, brain: Mask) -> Mask:
    """Return where two images (x y z) differ: smoothed, by 5 % of the brain's range."""
    low, high = np.percentile(first[brain], (1, 99))
    difference = ndimage.gaussian_filter(np.abs(first - second), 0.5)
    mask: Mask = difference > CHANGED * (high - low)
    return mask


def _scanned(subject: Subject, brain: Mask, split: Split, index: int) -> Array:
    """Return the scan; noise fills one and the same mask in both twins."""
    return scanned(subject.signal, brain, split, index)
