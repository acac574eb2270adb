"""Taking a volume apart, step by step: how, and what the network said on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Substrate = Literal["zero", "mean", "blur", "noise", "road", "twin"]
Unit = Literal["patch", "voxel"]
Steps = Literal["early", "uniform", "rise", "patch", "tenths", "road"]
EARLY, UNIFORM, RISE = 40, 50, 224
ROAD = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9)


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
        "uniform": 50 equal steps; "rise": equal steps as fine as RISE's, 224; "patch": one by one;
        "tenths": 10 equal steps; "road": 0.5, 1, 2, 5, 10, 20, 50 and 90 %.
    """

    substrate: Substrate = "zero"
    unit: Unit = "patch"
    steps: Steps = "early"


def counts_of(steps: Steps, units: int) -> NDArray[np.int64]:
    """Return how many units are gone at each step: rising, without repeats, 0 first, all last."""
    shares: dict[str, NDArray[np.float64]] = {
        "early": (np.arange(EARLY + 1) / EARLY) ** 2,
        "uniform": np.arange(UNIFORM + 1) / UNIFORM,
        "tenths": np.arange(11) / 10,
        "road": np.array([0.0, *ROAD, 1.0]),
    }
    if steps in shares:
        return np.unique(np.rint(shares[steps] * units).astype(np.int64))
    each = 1 if steps == "patch" else max(1, -(-units // RISE))
    return np.unique(np.append(np.arange(0, units, each), units).astype(np.int64))


@dataclass(frozen=True, eq=False)
class Sweep:
    """What the network said while units went, or came, one after the other.

    fractions
        (t + 1) share of the units that are gone, or back, rising from 0 to 1.
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
