"""Volumes of noise with a box that is said to be the signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.types import Volume

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Made:
    """A sample as the benchmark asks for it."""

    name: str
    volume: Volume
    label: int
    signal: Mask
    distractor: Mask
    valid: Mask | None = None

    @property
    def twin_volume(self) -> Volume:
        twin = np.where(self.signal, 300.0, self.volume.data).astype(np.float32)
        return Volume(twin, self.volume.affine, "twin")


def made(name: str, like: Volume, label: int, seed: int) -> Made:
    data = np.random.default_rng(seed).normal(300.0, 80.0, like.shape).astype(np.float32)
    signal = np.zeros(like.shape, dtype=bool)
    signal[5:9, 8:14, 3:8] = True
    return Made(name, Volume(data, like.affine, name), label, signal, np.zeros_like(signal))
