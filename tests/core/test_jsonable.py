"""Documents that every JSON parser accepts."""

from __future__ import annotations

import json
from math import inf, nan
from pathlib import Path

import numpy as np

from g3dvit_napari.core.jsonable import jsonable


def test_what_json_does_not_have_becomes_what_it_has() -> None:
    found = jsonable(
        {1: (nan, inf, 2.0), "a": [None, True, "x"], "p": Path("b"), "n": np.float64(3)}
    )
    assert found == {"1": [None, None, 2.0], "a": [None, True, "x"], "p": "b", "n": 3.0}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_digits_are_significant_ones() -> None:
    assert jsonable([123456.789, 1.23456789e-9], 7) == [123456.8, 1.234568e-9]
    assert jsonable(0.1 + 0.2) == 0.1 + 0.2
