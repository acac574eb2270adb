"""What a metric may ask of the method that made a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Explainer(Protocol):
    """The method that made a map, ready to be asked again; each returns raw tokens (f h w)."""

    @property
    def stages(self) -> Sequence[str]:
        """The parts of the network whose weights can be drawn anew, head first."""
        ...

    def again(self, image: NDArray[np.float32]) -> Floats:
        """Explain the same class of another input (c f h w)."""
        ...

    def of_class(self, target: int) -> Floats:
        """Explain another class of the same input."""
        ...

    def randomised(self, stages: Sequence[str], seed: int) -> Floats:
        """Explain the same class of the same input to a network with these stages drawn anew."""
        ...
