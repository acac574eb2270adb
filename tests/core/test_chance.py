"""Probabilities are written in one way, and never rounded to certainty."""

from __future__ import annotations

import numpy as np
import pytest

from g3dvit_napari.core.chance import in_percent, p_of


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.5, "50.0 %"),
        (0.9987, "99.9 %"),
        (0.99949, "99.9 %"),
        (0.9995, "> 99.9 %"),
        (1.0, "> 99.9 %"),
        (0.0005, "0.1 %"),
        (0.00049, "< 0.1 %"),
        (0.0, "< 0.1 %"),
    ],
)
def test_words(probability: float, words: str) -> None:
    assert in_percent(probability) == words


def test_in_a_caption() -> None:
    assert [p_of(p) for p in (0.5, 0.0, 1.0)] == ["p = 50.0 %", "p < 0.1 %", "p > 99.9 %"]


def test_the_words_are_true_of_every_probability() -> None:
    for probability in np.linspace(0, 1, 20_001):
        words = in_percent(float(probability))
        number = float(words.strip("<>% "))
        match words[0]:
            case "<":
                assert 100 * probability < number
            case ">":
                assert 100 * probability > number
            case _:
                assert abs(100 * probability - number) <= 0.05 + 1e-9
        assert words not in ("0.0 %", "100.0 %")
