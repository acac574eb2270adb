"""The colours on offer are ordered as the eye sees them: by lightness."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2lab

from g3dvit_napari.plugin.picture.colormaps import SIGNED_MAPS, UNSIGNED_MAPS, base_name, colours
from g3dvit_napari.plugin.picture.colormaps import gated as gate

LEAST_RISE = 40.0  # of lightness, from the weakest to the strongest; of 100


def lightness(name: str, places: np.ndarray) -> np.ndarray:
    """Return CIELAB's L* of a colour map."""
    return rgb2lab(np.asarray(colours(name).map(places))[None, :, :3])[0, :, 0]


@pytest.mark.parametrize("name", UNSIGNED_MAPS)
def test_more_relevance_is_always_lighter(name) -> None:
    found = lightness(name, np.linspace(0, 1, 256))
    assert np.diff(found).min() > 0
    assert found[-1] - found[0] > LEAST_RISE
    assert np.diff(found).std() < 0.25 * np.diff(found).mean()  # in equal steps


@pytest.mark.parametrize("name", SIGNED_MAPS)
def test_for_and_against_are_equally_light(name) -> None:
    found = lightness(name, np.linspace(0, 1, 257))
    assert np.abs(found - found[::-1]).max() < 2.5  # one barely sees a difference of 2.3
    steps = np.diff(found[128:]) * np.sign(found[-1] - found[128])
    assert steps.min() > -0.1
    assert abs(found[-1] - found[128]) > 30


@pytest.mark.parametrize("name", SIGNED_MAPS)
def test_warm_speaks_for_a_class(name) -> None:
    against, for_it = np.asarray(colours(name).map(np.array([0.2, 0.8])))[:, :3]
    assert for_it[0] - for_it[2] > 0.2 > -0.2 > against[0] - against[2]


@pytest.mark.parametrize("name", ["turbo", "hot", "fire"])
def test_maps_left_out_would_fail(name) -> None:
    steps = np.diff(lightness(name, np.linspace(0, 1, 256)))
    assert steps.min() <= 0 or steps.std() >= 0.25 * steps.mean()


@pytest.mark.parametrize("name", [*UNSIGNED_MAPS, *SIGNED_MAPS])
def test_a_gate_keeps_the_name(name) -> None:
    assert base_name(gate(name, 0.4, signed=name in SIGNED_MAPS)) == name
