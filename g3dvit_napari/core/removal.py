"""Taking a volume apart, step by step: how, and what the network said on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Substrate = Literal["zero", "mean", "blur", "noise", "road", "twin"]
Unit = Literal["patch", "voxel"]
Steps = Literal["early", "uniform", "rise", "patch"]


@dataclass(frozen=True)
class Removal:
    """How parts of a volume are taken away.

    substrate
        What stands where a part was: zero in the network's input space, the volume's own mean, the
        volume blurred, its background resampled, neighbours with noise (ROAD, Rong et al. 2022), or
        the twin without the signal, where one exists.
    unit
        What goes at once: patches, or voxels.
    steps
        "early": round(N (s/40)²) after s of 40 steps, so that the first per cent has several;
        "uniform": 50 equal steps; "rise": equal steps as fine as RISE's; "patch": one by one.
    """

    substrate: Substrate = "zero"
    unit: Unit = "patch"
    steps: Steps = "early"


@dataclass(frozen=True, eq=False)
class Sweep:
    """What the network said while units went one after the other, none first and all last.

    fractions
        (t + 1) share of the units that are gone, rising from 0 to 1.
    logits, probabilities
        (t + 1, classes).
    """

    fractions: NDArray[np.float64]
    logits: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def reversed(self) -> Sweep:
        """Return the same images met from the other end.

        Removing the least relevant units first goes through the images that adding the most
        relevant ones first goes through, backwards: insertion is deletion read from its end.
        """
        return Sweep(1.0 - self.fractions[::-1], self.logits[::-1], self.probabilities[::-1])
