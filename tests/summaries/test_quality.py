"""Figures of maps whose figures are known: even, all in the head, in one patch, none."""

from __future__ import annotations

import numpy as np
import pytest
from nibabel.affines import from_matvec

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.result import explanation_of
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import ExplanationRequest, Prediction, TokenMaps, Volume
from g3dvit_napari.summaries import quality_of

SHAPE = (31, 27, 35)
PATCH = (5, 4, 3)
GRID = (25, 20, 27)  # cut off at both sides
TOKENS = tuple(g // p for g, p in zip(GRID, PATCH, strict=True))


def volume(half: float = 9.0) -> Volume:
    """Return a bright box on a dark floor, off the middle, with noise in both."""
    rng = np.random.default_rng(4)
    data = rng.normal(10, 1, SHAPE).astype(np.float32)
    centre = np.array(SHAPE) / 2 + (1, -2, 2)
    places = zip(np.indices(SHAPE), centre, (1, 0.8, 1.2), strict=True)
    inside = np.all([abs(i - c) <= half * f for i, c, f in places], axis=0)
    data[inside] += 100
    turn = np.array([[2.0, 0.1, 0], [-0.1, 1.5, 0.2], [0, -0.2, 3.0]])
    return Volume(data, from_matvec(turn, [-30.0, 4.0, -50.0]))


def explained(values: np.ndarray, scan: Volume, *, signed: bool = False):
    spec = ModelSpec(
        network=NetworkSpec(image_size=GRID, patch=PATCH, channels=1),
        input=InputSpec.model_validate(
            {"orientation": "RAS", "intensity": "none", "tensor_axes": "xyz", "fit": "crop-pad"}
        ),
    )
    return explanation_of(
        TokenMaps(values, np.ones_like(values)),
        Placement(scan, spec),
        ExplanationRequest(),
        Prediction((0.0, 1.0), (0.3, 0.7), ("a", "b")),
        signed=signed,
        seconds=0.0,
        provenance={},
    )


def nearly_even() -> np.ndarray:
    values = np.full(TOKENS, 0.5)
    values[0, 0, 0], values[-1, -1, -1] = 0.0, 1.0  # a map without a range would be none
    return values


def head_and_view(scan: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Return head and field of view as they were made."""
    start = [(n - m) // 2 for n, m in zip(SHAPE, GRID, strict=True)]
    view = np.zeros(SHAPE, bool)
    view[tuple(slice(s, s + m) for s, m in zip(start, GRID, strict=True))] = True
    return scan.data > 50, view


def test_an_even_map_is_chance() -> None:
    scan = volume()
    found = quality_of(explained(nearly_even(), scan))
    head, view = head_and_view(scan)
    assert found.chance == pytest.approx(head[view].mean())
    assert found.head_seen == pytest.approx((head & view).sum() / head.sum())
    assert found.times_chance == pytest.approx(1.0, abs=0.02)
    assert found.way_to_ceiling == pytest.approx(0.0, abs=0.03)
    assert found.spread > 0.98


def test_a_map_of_the_patches_of_the_head_is_the_ceiling() -> None:
    scan = volume()
    head, view = head_and_view(scan)
    blocks = head[view].reshape(TOKENS[0], PATCH[0], TOKENS[1], PATCH[1], TOKENS[2], PATCH[2])
    values = (blocks.mean(axis=(1, 3, 5)) >= 0.5).astype(float)
    found = quality_of(explained(values, scan))
    assert found.in_head == pytest.approx(found.ceiling, abs=1e-4)
    assert found.way_to_ceiling == pytest.approx(1.0, abs=1e-3)
    assert found.chance < found.ceiling < 1.0  # patches stick out of the head
    assert found.strongest == pytest.approx(1 / values.sum())
    assert found.spread == pytest.approx(values.mean())


def test_a_map_of_one_patch() -> None:
    values = np.zeros(TOKENS)
    values[2, 2, 4] = 3.0
    found = quality_of(explained(values, volume()))
    assert found.strongest == 1.0
    assert found.spread == pytest.approx(1 / values.size)
    assert found.in_head > 0.99


def test_relevance_in_the_air_is_below_chance() -> None:
    values = np.zeros(TOKENS)
    values[0, 0, :] = 1.0
    assert quality_of(explained(values, volume(6.0))).times_chance < 0.2


def test_sizes_count_where_signs_mean_something() -> None:
    values = np.zeros(TOKENS)
    values[2, 2, 4], values[0, 0, 0] = 1.0, -1.0
    found = quality_of(explained(values, volume(), signed=True))
    assert found.strongest == pytest.approx(0.5)
    assert 0.3 < found.in_head < 0.7


def test_where_there_is_no_map_there_are_no_figures() -> None:
    found = quality_of(explained(np.zeros(TOKENS), volume()))
    assert np.isnan([found.in_head, found.chance, found.strongest, found.spread]).all()
    assert np.isnan(found.times_chance)
    assert found.head_seen > 0.5


def test_without_a_head_there_is_no_share_of_it() -> None:
    scan = volume()
    flat = scan.like(np.full(SHAPE, 7.0, np.float32))
    values = np.random.default_rng(0).random(TOKENS)
    assert np.isnan(quality_of(explained(values, flat)).in_head)
