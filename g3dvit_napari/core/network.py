"""What a metric may ask of a network about one volume; torch stays behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.removal import Removal, Sweep

Floats = NDArray[np.float64]


class Network(Protocol):
    """All that a metric may ask of a network about one volume; torch stays behind it.

    Units are numbered along f h w: the patches, or the voxels of the input. Logits and
    probabilities are one per class, float64.
    """

    @property
    def image(self) -> NDArray[np.float32]:
        """The network's input (c f h w)."""
        ...

    def sweep(self, removal: Removal, ranks: NDArray[np.int64], *, insert: bool = False) -> Sweep:
        """Remove the unit of rank 0 first, and say what the network says at each step.

        With `insert` all ranked units are gone at first, and come back, that of rank 0 first. Units
        of negative rank stay where they are.
        """
        ...

    def hidden(self, removal: Removal, masks: Iterable[NDArray[np.bool_]]) -> tuple[Floats, Floats]:
        """Return logits and probabilities (n, classes), each with the True units removed."""
        ...

    def answers(self, images: Iterable[NDArray[np.float32]]) -> tuple[Floats, Floats]:
        """Return logits and probabilities (n, classes) of inputs (c f h w)."""
        ...
