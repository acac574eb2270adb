"""How alike maps are: against scipy, scikit-image and by hand; ties and constants."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from g3dvit_napari.metrics.sanity.similarity import (
    level_of_chance,
    likeness,
    likeness_of_controls,
    overlap,
    spearman,
    ssim,
)

RANDOM = np.random.default_rng(7)
KINDS: tuple[Any, ...] = ("spearman", "ssim", "overlap")


@pytest.mark.parametrize("tied", [False, True])
def test_spearman_is_scipys(tied: bool) -> None:
    one, two = RANDOM.normal(size=(2, 4, 5, 6))
    two += one
    if tied:
        one, two = np.maximum(one, 0), np.round(two)
    expected = spearmanr(one.ravel(), two.ravel()).statistic
    assert spearman(one, two) == pytest.approx(expected)
    assert 0.2 < expected < 0.9


@pytest.mark.parametrize("shape", [(3, 4, 5), (6, 6, 6), (8, 11, 9)])
def test_ssim_is_scikit_images(shape: tuple[int, ...]) -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    one, two = RANDOM.normal(size=(2, *shape))
    two = 5 * (two + one)
    side = {3: 3, 6: 5, 8: 7}[shape[0]]
    first, second = ((v - v.min()) / np.ptp(v) for v in (one, two))
    expected = metrics.structural_similarity(first, second, win_size=side, data_range=1.0)
    assert ssim(one, two) == pytest.approx(expected)


def chosen(values: Any, order: Any) -> set[int]:
    """The strongest 5 %, ties broken by an order."""
    ranked = sorted(range(values.size), key=lambda i: (-values.ravel()[i], order[i]))
    return set(ranked[: int(np.ceil(0.05 * values.size))])


def test_overlap_by_hand() -> None:
    one, two = RANDOM.normal(size=(2, 5, 4, 6))
    two += one
    order = range(one.size)
    common = chosen(one, order) & chosen(two, order)
    assert overlap(one, two) == pytest.approx(len(common) / 6)
    assert 0 < len(common) < 6


def test_ties_are_broken_at_random_on_average() -> None:
    sharp, tied = np.zeros((5, 2, 5)), np.zeros((5, 2, 5))  # 3 of 50
    sharp.flat[[0, 1, 2]] = 3, 2, 1
    tied.flat[[0]] = 2
    tied.flat[[1, 5, 6, 7]] = 1  # two of these four belong
    found = []
    for four in permutations(range(4)):
        order = np.arange(50)
        order[[1, 5, 6, 7]] = np.array(four) - 4
        found.append(len(chosen(sharp, np.arange(50)) & chosen(tied, order)) / 3)
    assert overlap(sharp, tied) == pytest.approx(np.mean(found))
    assert overlap(tied, sharp) == pytest.approx(np.mean(found))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_maps_and_those_of_another_scale(kind: Any) -> None:
    one = np.maximum(RANDOM.normal(size=(5, 6, 7)), 0)
    other = RANDOM.normal(size=(5, 6, 7))
    assert likeness(kind, one, one) == pytest.approx(1)
    assert likeness(kind, one, 40 * one + 3) == pytest.approx(1)
    assert likeness(kind, one, other) == pytest.approx(likeness(kind, other, one))
    assert likeness(kind, one, other) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_axes_does_not_matter(kind: Any) -> None:
    one, two = np.maximum(RANDOM.normal(size=(2, 5, 6, 7)), 0)
    found = likeness(kind, one, two)
    assert likeness(kind, one[::-1, :, ::-1], two[::-1, :, ::-1]) == pytest.approx(found)
    turned = [np.transpose(v, (2, 0, 1)) for v in (one, two)]
    assert likeness(kind, *turned) == pytest.approx(found)


def test_constant_maps_and_small_ones() -> None:
    one, constant = RANDOM.normal(size=(5, 4, 6)), np.full((5, 4, 6), 2.0)
    assert spearman(one, constant) == 0
    assert overlap(one, constant) == pytest.approx(0.05)
    assert ssim(one, constant) < 0.3
    assert np.isnan(ssim(one[:2], one[:2]))
    for kind in KINDS:
        assert np.isnan(likeness(kind, one, np.where(one > 1, np.nan, one)))


@pytest.mark.parametrize("kind", KINDS)
def test_unrelated_maps_stay_below_the_level_95_times_of_100(kind: Any) -> None:
    one = RANDOM.normal(size=(6, 6, 6))
    level = level_of_chance(likeness_of_controls(kind, one, 0))
    np.testing.assert_array_equal(*(likeness_of_controls(kind, one, 0) for _ in range(2)))
    others = RANDOM.permuted(np.tile(one.ravel(), (400, 1)), axis=1).reshape(-1, 6, 6, 6)
    below = np.mean([likeness(kind, one, other) <= level for other in others])
    assert 0.88 < below <= 0.995
    assert level < 0.3
