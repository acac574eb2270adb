"""Samples with a known truth, each beside its counterfactual twin.

A twin is the same volume without the signal: same anatomy, same noise, same distractor. It says
what the signal alone does to a network, without leaving the data that the network was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.errors import MethodError, unknown_name
from g3dvit_napari.core.spec import InputSpec
from g3dvit_napari.core.types import Volume

Split = Literal["train", "valid", "test"]
Mask = NDArray[np.bool_]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, eq=False)
class Sample:
    """One volume, its twin, and the truth about both.

    data, twin
        (x y z) float32, RAS+; equal where there is no signal to take away.
    signal
        (x y z) where the evidence for the class lies; empty for classes that mean "nothing there".
    distractor
        (x y z) where something lies that the class does not depend on.
    label, twin_label
        Number of the class, and of the twin's class; None where the twin has none.
    drawn
        What was drawn at random, by name.
    affine
        4 x 4, voxel centres to world mm.
    valid
        (x y z) where relevance counts, such as the brain; None: everywhere.
    """

    data: NDArray[np.float32]
    twin: NDArray[np.float32]
    signal: Mask
    distractor: Mask
    label: int
    drawn: Mapping[str, Any]
    affine: NDArray[np.float64]
    name: str = "sample"
    twin_label: int | None = None
    valid: Mask | None = None

    @property
    def volume(self) -> Volume:
        """What the network is shown."""
        return self._volume(self.data, "")

    @property
    def twin_volume(self) -> Volume:
        """The same without the signal."""
        return self._volume(self.twin, "_twin")

    @property
    def truth(self) -> Volume:
        """The mask of the signal, uint8."""
        return self._volume(self.signal.astype(np.uint8), "_truth")

    @property
    def distractor_volume(self) -> Volume:
        """The mask of the distractor, uint8."""
        return self._volume(self.distractor.astype(np.uint8), "_distractor")

    @property
    def valid_volume(self) -> Volume | None:
        """The mask of where relevance counts, uint8; None: everywhere."""
        if self.valid is None:
            return None
        return self._volume(self.valid.astype(np.uint8), "_valid")

    @property
    def pasted_volume(self) -> Volume:
        """The twin with the voxels of the signal put back, and nothing else."""
        return self._volume(np.where(self.signal, self.data, self.twin), "_pasted")

    def _volume(self, data: NDArray[Any], ending: str) -> Volume:
        return Volume(data, self.affine, self.name + ending)


Draw = Callable[[Split, int], Sample]
DrawAt = Callable[[float, Split, int], Sample]


@dataclass(frozen=True, eq=False)
class Task:
    """A question with a known answer: what is asked, of which volumes, and how they are drawn.

    draw
        Sample number `index` of a split; it depends on nothing else.
    shape
        Voxels along x, y, z.
    draw_at
        The same at a difficulty between 0 and 1, for the start of a training; None: there is one.
    shared
        Why the parameters of the splits are not disjoint; None where they are.
    hopeless
        Why no network of the kind that the task names can do better than chance; None: it can.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]
    input: InputSpec
    draw: Draw = field(repr=False)
    draw_at: DrawAt | None = field(default=None, repr=False)
    shared: str | None = None
    hopeless: str | None = None


def checked_split(split: str) -> Split:
    """Return the name of a split, or refuse it."""
    for known in SPLITS:
        if known == split:
            return known
    raise MethodError(unknown_name("split", split, SPLITS))


def generator(version: int, split: Split, index: int, stream: int) -> np.random.Generator:
    """Return the random generator of one part of one sample.

    Parts (place, content, noise) have streams of their own, so that two tasks that differ in one
    part share the others.
    """
    return np.random.default_rng([version, SPLITS.index(split), index, stream])
