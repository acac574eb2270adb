"""Agreement of two maps: against SciPy, by hand, and chance by simulation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from g3dvit_napari import api
from g3dvit_napari.core.types import Explanation, Volume
from g3dvit_napari.summaries.agreement import (
    agreement,
    agreement_of,
    chance,
    dice,
    ranks,
    same_places,
    spearman,
    strongest,
)


def test_ranks_share_their_mean_where_values_are_equal() -> None:
    assert ranks(np.array([10.0, -1.0, 10.0, 4.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


@pytest.mark.parametrize("steps", [0, 4, 1])
def test_spearman_is_that_of_scipy_with_and_without_ties(steps: int) -> None:
    rng = np.random.default_rng(steps)
    one = rng.normal(size=501)
    two = one + rng.normal(size=501)
    if steps:
        one, two = np.round(one * steps), np.round(two * steps)
    assert spearman(one, two) == pytest.approx(stats.spearmanr(one, two).statistic, abs=1e-12)
    assert spearman(one, -(one**3)) == pytest.approx(-1)


def test_the_strongest_count_by_size_and_zero_never_does() -> None:
    values = np.zeros(40)
    values[[3, 5, 7]] = (-9.0, 4.0, 1.0)
    assert np.flatnonzero(strongest(values)).tolist() == [3, 5]  # 5 % of 40
    assert np.flatnonzero(strongest(values, 50)).tolist() == [3, 5, 7]
    values[11] = -4.0  # a tie with the weakest of them
    assert np.flatnonzero(strongest(values)).tolist() == [3, 5, 11]


def test_dice_by_hand() -> None:
    one, two = np.arange(100.0), np.arange(100.0)
    two[[99, 98, 0, 1]] = two[[0, 1, 99, 98]]  # 3 of the 5 strongest are left
    found = agreement(one, two)
    assert found.dice == pytest.approx(0.6)
    assert found.chance == pytest.approx(0.05)  # k / N
    assert found.places == 100


@pytest.mark.parametrize(("m", "n"), [(10, 10), (6, 25)])
def test_chance_is_the_mean_dice_of_random_sets(m: int, n: int) -> None:
    rng, places, draws = np.random.default_rng(0), 120, 4000
    one, found = np.zeros(places, bool), []
    one[:m] = True
    for _ in range(draws):
        two = np.zeros(places, bool)
        two[rng.choice(places, n, replace=False)] = True
        found.append(dice(one, two))
    error = np.std(found) / np.sqrt(draws)
    assert abs(np.mean(found) - chance(one, two)) < 4 * error
    if m == n:
        assert chance(one, two) == pytest.approx(m / places)


@pytest.mark.parametrize(
    ("one", "two", "why_not"),
    [
        (np.arange(9.0), np.full(9, 0.3), "map B is constant"),
        (np.zeros(9), np.arange(9.0), "map A is constant"),
        (np.ones(1), np.ones(1), "the maps share less than two places"),
        (np.ones(0), np.ones(0), "the maps share less than two places"),
    ],
)
def test_no_figures_rather_than_wrong_ones(one: Any, two: Any, why_not: str) -> None:
    found = agreement(one, two)
    assert (found.spearman, found.dice, found.chance) == (None, None, None)
    assert found.why_not == why_not


@pytest.fixture
def explained(tiny_volume: Volume, tiny_model: Any) -> list[Explanation]:
    methods = ("grad_cam", "saliency", "libra_grad", "hires_cam")
    return [api.explain(tiny_volume, tiny_model, name, "AD") for name in methods]


def test_patches_of_one_grid_are_compared_as_patches(explained: list[Explanation]) -> None:
    one, two = explained[2], explained[3]
    found = agreement_of(one, two)
    maps = [e.scaled.placement.patch_volume(e.scaled.patches).data.ravel() for e in (one, two)]
    assert found.unit == "patches"
    assert found.places == maps[0].size == 36  # the crop lies inside the volume
    assert found.spearman == pytest.approx(stats.spearmanr(*maps).statistic)


def test_maps_of_different_grids_are_compared_where_both_saw(explained: list[Explanation]) -> None:
    one, two = explained[0], explained[1]
    assert one.patch_map.shape != two.patch_map.shape
    places = same_places(one, two)
    assert places.unit == "voxels"
    assert len(places.first) == int(one.field_of_view.data.sum())
    assert np.isfinite(agreement_of(one, two).spearman)


def test_patches_in_the_padding_do_not_count(tiny_model: Any) -> None:
    rng = np.random.default_rng(0)
    small = Volume(rng.normal(size=(15, 12, 12)).astype(np.float32), np.eye(4))  # of 15 x 20 x 12
    one, two = (api.explain(small, tiny_model, name, "AD") for name in ("grad_cam", "libra_grad"))
    places = same_places(one, two)
    assert places.unit == "patches"
    assert len(places.first) == 3 * 2 * 3  # rows of 5 voxels from -4: centres at -2, 3, 8, 13


def test_a_map_that_shows_nothing_has_no_agreement(explained: list[Explanation]) -> None:
    one = explained[2]
    empty = replace(one.scaled, patches=np.zeros_like(one.scaled.patches))
    found = agreement_of(one, replace(one, scaled=empty, status="zero"))
    assert found.why_not == "map B is constant"
