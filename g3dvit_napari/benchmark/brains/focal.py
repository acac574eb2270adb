"""A dark ball on the left, on the right, or nowhere: at a site, anywhere, beside a confound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from g3dvit_napari.benchmark.brains.grid import Array, Floats, Mask
from g3dvit_napari.benchmark.brains.head import (
    EFFECT,
    GRID,
    OTHER,
    VERSION,
    depth_of,
    scanned,
    subject_of,
)
from g3dvit_napari.benchmark.brains.lesion import Ball, Lesion, ball, ball_at
from g3dvit_napari.benchmark.brains.subject import Subject
from g3dvit_napari.benchmark.sample import Sample, Split, generator

CLASSES = ("no lesion", "left lesion", "right lesion")
SIDES = (0, -1, 1)
INSIDE, OFF_MIDLINE = 8.0, 22.0  # mm: centres of free lesions lie so deep, and so far from x = 0


@dataclass(frozen=True)
class Focal:
    """How the samples of one task are drawn.

    free
        Whether lesions lie anywhere in their half; else at the lesion's site.
    distractor
        What half of all samples also carry, wherever the lesion is not.
    gains
        Log gain of each class in the training split; elsewhere one of them by chance.
    """

    name: str
    lesion: Lesion
    free: bool = False
    distractor: Lesion | None = None
    gains: tuple[float, float, float] | None = None
    spread: float = 0.05  # standard deviation of the log gain around that of its class


SITE = Focal("brain-site", Lesion((33, -18, 28), (5, 5, 5), (12, 18), (0.55, 0.65)))
FREE = Focal(
    "brain-lesion",
    Lesion((0, 0, 0), (0, 0, 0), (9, 15), (0.55, 0.65)),
    free=True,
    distractor=Lesion((0, 0, 0), (0, 0, 0), (9, 15), (-0.65, -0.55)),
)
CONFOUND = Focal(
    "brain-confound",
    Lesion((33, -18, 28), (5, 5, 5), (12, 18), (0.30, 0.40)),
    gains=(0.0, -0.25, 0.25),
)


def draw(task: Focal, split: Split, index: int) -> Sample:
    """Return sample number `index` of a split; it depends on nothing else."""
    rng, other = (generator(VERSION, split, index, stream) for stream in (EFFECT, OTHER))
    subject, label = subject_of(split, index), int(rng.integers(len(CLASSES)))
    lesion = _lesion(task, subject, SIDES[label] or 1, rng)
    extra = _distractor(task, subject, lesion, other)
    gain = _gain(task, split, label, other)
    twin = np.float32(gain) * _dimmed(subject.signal, extra)
    ill = _dimmed(twin, [lesion] if label else [])
    signal = _mask([lesion] if label else [], subject.mask)
    return Sample(
        data=scanned(ill, subject.mask, split, index),
        twin=scanned(twin, subject.mask, split, index),
        signal=signal,
        distractor=_off_site(task, subject, signal, extra),
        label=label,
        drawn=_drawn_of(lesion if label else None, extra, gain),
        affine=GRID.affine,
        name=f"{task.name}_{split}_{index}",
        twin_label=0,
        valid=subject.mask,
    )


def _lesion(task: Focal, subject: Subject, side: int, rng: np.random.Generator) -> Ball:
    if not task.free:
        return ball(rng, task.lesion, side, GRID)
    return ball_at(rng, task.lesion, _any_place(subject, side, rng), GRID)


def _any_place(
    subject: Subject, side: int, rng: np.random.Generator, away: Ball | None = None
) -> Floats:
    """Return a place (mm) in one half of the brain, or in either, away from a ball."""
    world = GRID.positions_mm()
    good = depth_of(subject.mask) >= INSIDE
    good &= (side * world[0] if side else np.abs(world[0])) > OFF_MIDLINE
    if away is not None:
        apart = np.linalg.norm(world - away.centre[:, None, None, None], axis=0)
        good &= apart > 2.2 * away.radius + INSIDE
    places = world[:, good].T
    found: Floats = places[rng.integers(len(places))] + rng.uniform(-2.5, 2.5, 3)
    return found


def _distractor(
    task: Focal, subject: Subject, lesion: Ball, rng: np.random.Generator
) -> list[Ball]:
    """Return what distracts, in half of all samples, whatever the class."""
    if task.distractor is None or rng.random() < 0.5:
        return []
    return [ball_at(rng, task.distractor, _any_place(subject, 0, rng, away=lesion), GRID)]


def _gain(task: Focal, split: Split, label: int, rng: np.random.Generator) -> float:
    """Return the gain of the scanner: by class in training, by chance elsewhere."""
    if task.gains is None:
        return 1.0
    chance = int(rng.integers(len(task.gains)))
    log_gain = task.gains[label if split == "train" else chance]
    return float(np.exp(log_gain + task.spread * rng.standard_normal()))


def _dimmed(signal: Array, balls: Sequence[Ball]) -> Array:
    left_over = np.ones(GRID.shape, dtype=np.float32)
    for ball_ in balls:
        left_over[ball_.box] *= 1 - np.float32(ball_.depth) * ball_.inside
    return signal * left_over


def _mask(balls: Sequence[Ball], brain: Mask) -> Mask:
    mask = np.zeros(GRID.shape, dtype=bool)
    for ball_ in balls:
        mask[ball_.box] |= ball_.inside > 0.5
    return mask & brain


def _off_site(task: Focal, subject: Subject, signal: Mask, extra: Sequence[Ball]) -> Mask:
    """Return where relevance would be wrong: a confound lies in all of the brain off the site."""
    if task.gains is not None:
        return subject.mask & ~signal
    return _mask(extra, subject.mask)


def _drawn_of(lesion: Ball | None, extra: Sequence[Ball], gain: float) -> dict[str, object]:
    found: dict[str, object] = {"gain": gain}
    for word, balls in (("lesion", [lesion] if lesion else []), ("distractor", extra)):
        for ball_ in balls:
            found[f"{word}_centre_mm"] = [round(float(v), 3) for v in ball_.centre]
            found[f"{word}_radius_mm"] = round(float(ball_.radius), 3)
            found[f"{word}_depth"] = round(float(ball_.depth), 4)
    return found
