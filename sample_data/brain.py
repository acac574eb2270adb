"""A brain with a known lesion: subjects drawn from the MNI template, one seed per subject.

Every subject is the symmetric MNI template (as it ships with nilearn), bent, shaded and made noisy,
on the 91 x 109 x 91 grid of 2 mm in LAS that SPM and CONN write. It carries one dark lesion in the
deep white matter of the left or of the right half. The lesion is the only difference between the
classes, and its place is known voxel by voxel. How brains and lesions are drawn is shared with the
benchmark (`g3dvit_napari.benchmark.brains`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.benchmark.brains.grid import Array, Grid
from g3dvit_napari.benchmark.brains.lesion import Lesion, ball
from g3dvit_napari.benchmark.brains.subject import Subject, body, scan
from g3dvit_napari.benchmark.brains.template import template

VERSION = 1  # part of every seed: a change of the generator must change it
SHAPE = (91, 109, 91)
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
GRID = Grid(SHAPE, AFFINE)
CLASSES = ("no lesion", "left lesion", "right lesion")
SPLITS = ("train", "held out", "shown", "benchmark")
SMOOTHING = 0.7  # mm, of the template
LESION = Lesion(
    site=(33.0, -18.0, 28.0), jitter=(6.0, 28.0, 12.0), radius=(11.0, 14.0), depth=(0.55, 0.70)
)


@dataclass(frozen=True)
class Sample:
    """One scan as a scanner would store it, and the truth about it."""

    data: NDArray[np.int16]
    lesion: NDArray[np.bool_]
    label: int


class Brain:
    """Draws subjects, lesions and noise."""

    def draw(self, split: str, index: int, label: int | None = None) -> Sample:
        """Return sample number `index` of a split; the classes take turns if none is given."""
        label = index % len(CLASSES) if label is None else label
        rng = generator(split, index)
        subject = self.subject(rng)
        signal, lesion = with_lesions(subject, label, rng)
        return Sample(scan(signal, subject.mask, rng), lesion, label)

    def subject(self, rng: np.random.Generator) -> Subject:
        """Return the template bent, turned, scaled and shaded at random."""
        return body(rng, GRID).shown(template(SMOOTHING))


def generator(split: str, index: int) -> np.random.Generator:
    """Return the random generator of one sample, the same on every machine."""
    return np.random.default_rng([VERSION, SPLITS.index(split), index])


def with_lesions(
    subject: Subject, label: int, rng: np.random.Generator, count: int = 1
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the signal with a lesion (in training more) on the side of the class, and its mask.

    The random numbers taken do not depend on the label: the same state gives twins of one subject.
    """
    side = {"left lesion": -1, "right lesion": 1}.get(CLASSES[label], 0)
    left_over, lesion = np.ones(SHAPE, dtype=np.float32), np.zeros(SHAPE, dtype=bool)
    for _ in range(count):
        drawn = ball(rng, LESION, side or 1, GRID)
        left_over[drawn.box] = np.minimum(left_over[drawn.box], 1 - drawn.depth * drawn.inside)
        lesion[drawn.box] |= drawn.inside > 0.5
    if side == 0:
        return subject.signal, np.zeros_like(lesion)
    return subject.signal * left_over, lesion & subject.mask
