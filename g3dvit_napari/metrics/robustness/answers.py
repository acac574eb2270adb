"""What a network says of the explained class: its logit or its probability."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Answer = Literal["logit", "probability"]
STILL = 1e-7  # what float32 cannot tell from no change, as a share of the answers


def of_target(said: tuple[Floats, Floats], target: int, answer: Answer) -> Floats:
    """Return one number (n) per asked input from logits and probabilities (n, classes)."""
    logits, probabilities = said
    return (logits if answer == "logit" else probabilities)[:, target]


def stands_still(changes: Floats, answers: Floats) -> bool:
    """Return whether changes differ by no more than the rounding of the answers behind them."""
    return float(np.ptp(changes)) <= STILL * float(np.abs(answers).max(initial=0.0))
