"""How many units are gone at each step, and one progress bar for many parts of work."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from g3dvit_napari.core.progress import Parts
from g3dvit_napari.core.removal import Steps, Sweep, counts_of


@pytest.mark.parametrize("units", [1, 2, 7, 36, 224, 1000, 50_176, 729_000])
@pytest.mark.parametrize("steps", get_args(Steps))
def test_counts_rise_from_none_to_all(steps: Steps, units: int) -> None:
    counts = counts_of(steps, units)
    assert (counts[0], counts[-1]) == (0, units)
    assert (np.diff(counts) > 0).all()


def test_the_rules_by_number() -> None:
    assert len(counts_of("early", 1000)) == 41
    assert (counts_of("early", 1000)[1:] <= 10).sum() == 4  # in the first per cent
    assert counts_of("early", 2000)[:6].tolist() == [0, 1, 5, 11, 20, 31]
    assert counts_of("uniform", 1000).tolist() == list(range(0, 1001, 20))
    assert counts_of("patch", 9).tolist() == list(range(10))
    assert counts_of("tenths", 50).tolist() == list(range(0, 51, 5))
    assert counts_of("road", 1000).tolist() == [0, 5, 10, 20, 50, 100, 200, 500, 900, 1000]
    rise = counts_of("rise", 224 * 224)  # their picture: 224 pixels a step, 224 steps
    assert rise.tolist() == list(range(0, 224 * 224 + 1, 224))
    assert np.diff(counts_of("rise", 90**3)).max() == 3255  # as many steps for a volume
    assert len(counts_of("rise", 90**3)) == 225


def test_a_sweep_backwards() -> None:
    sweep = Sweep(np.array([0, 0.1, 1]), np.arange(6.0).reshape(3, 2), np.ones((3, 2)))
    back = sweep.reversed()
    assert back.fractions.tolist() == [0, 0.9, 1]
    assert back.logits.tolist() == [[4, 5], [2, 3], [0, 1]]


def test_parts_make_one_bar_that_never_falls() -> None:
    told: list[tuple[float, str]] = []
    parts = Parts(lambda fraction, word: told.append((fraction, word)), 2)
    parts.begin("first")
    parts(0.5, "half")
    parts(0.25, "again")  # a second piece of work in the same part
    parts.begin("second")
    parts(1.0, "done")
    parts.begin("more than was expected")
    assert told == [
        (0, "first"),
        (0.25, "half"),
        (0.25, "again"),
        (0.5, "second"),
        (1, "done"),
        (1, "more than was expected"),
    ]
    Parts(None, 0).begin("nobody listens")
