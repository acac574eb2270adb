"""Shares of the relevance: in the target, a distractor, the brain, and a region among shifts."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import isnan, log2

import numpy as np
import pytest
from scenes import SHAPE, box, cube_scene, odd_scene

from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.controls import control, judged, random
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.metrics.localisation.enrichment import shifted


@pytest.fixture
def found() -> Evaluation:
    scene = odd_scene()
    return judged(random(scene) ** 2, scene)


def test_each_mass_is_a_share_of_what_counts(found: Evaluation) -> None:
    scene, values = found.scene, np.nan_to_num(found.voxels)
    counted = np.where(scene.counted, values, 0)
    target = counted[scene.truth].sum() / counted.sum()
    assert scored("relevance_mass", found).value == pytest.approx(target)
    other = counted[scene.distractor].sum() / counted.sum()
    assert scored("distractor_mass", found).value == pytest.approx(other)
    expected = (scene.distractor & scene.counted).sum() / scene.counted.sum()
    assert scored("distractor_mass", found).chance == pytest.approx(expected)


def test_the_brain_is_compared_with_all_that_is_seen(found: Evaluation) -> None:
    scene, values = found.scene, np.nan_to_num(found.voxels)
    assert scene.seen.sum() > scene.counted.sum()
    assert not scene.seen.all()
    score = scored("in_brain_mass", found)
    assert score.value == pytest.approx(values[scene.brain & scene.seen].sum() / values.sum())
    assert score.chance == pytest.approx((scene.brain & scene.seen).sum() / scene.seen.sum())


def test_on_patches_a_share_counts_by_the_voxels_it_fills(found: Evaluation) -> None:
    scene = found.scene
    inside = scene.truth & scene.counted
    total = hits = 0.0
    for number, value in enumerate(found.patches.ravel()):
        voxels = scene.patch_numbers == number
        if (voxels & scene.counted).any():
            total += value
            hits += value * inside[voxels].mean()
    score = scored("relevance_mass", found, {"level": "patch"})
    assert score.value == pytest.approx(hits / total)


def test_a_single_hot_patch_holds_more_than_the_oracle() -> None:
    """Relevance mass is not at its best for the oracle, which is its reference and no bound."""
    scene = replace(cube_scene(), truth=box((24,) * 3, (8, 8, 8), (13, 13, 13)))
    tokens = np.zeros((6, 6, 6))
    tokens[2, 2, 2] = 1
    best = scored("relevance_mass", judged(tokens, scene), {"level": "patch"})
    assert best.value == pytest.approx(1.0)
    assert best.ceiling < 0.6


def test_a_distractor_is_hit_or_not() -> None:
    scene = replace(cube_scene(), distractor=box((24,) * 3, (0, 0, 0), (5, 3, 3)))
    tokens = np.zeros((6, 6, 6))
    tokens[0, 0, 0] = 2  # z y x: the box is two patches long in x
    for place, hit in (((0, 0, 1), 1.0), ((1, 0, 0), 0.5)):
        two = tokens.copy()
        two[place] = 2
        score = scored("distractor_hit", judged(two, scene), {"level": "patch"})
        assert score.value == hit
        assert score.chance == pytest.approx(2 / 216)
        assert score.direction == "lower"


def test_relevance_that_is_all_elsewhere_scores_as_chance_or_worse(found: Evaluation) -> None:
    nothing = judged(
        np.where(np.arange(found.tokens.size) < 0, 1.0, -1.0).reshape(found.tokens.shape),
        found.scene,
    )
    score = scored("relevance_mass", nothing)
    assert score.value == score.chance
    assert "degenerate" in score.flags


def test_signed_relevance_has_no_share(found: Evaluation) -> None:
    for name in ("relevance_mass", "distractor_mass", "in_brain_mass", "mass_distance"):
        score = scored(name, replace(found, signed=True), {"sign": "signed"})
        assert isnan(score.value)
        assert "another sign" in score.reason


def test_enrichment_is_a_density_over_that_of_the_brain(found: Evaluation) -> None:
    scene, values = found.scene, np.nan_to_num(found.voxels)
    brain = scene.brain & scene.counted
    expected = values[scene.truth & brain].mean() / values[brain].mean()
    assert scored("roi_enrichment", found).value == pytest.approx(expected)
    doubled = scored("roi_enrichment", found, {"scale": "log2"})
    assert doubled.value == pytest.approx(log2(expected))
    assert doubled.chance == 0


def plain_shifts(found: Evaluation) -> list[float]:
    """Flip and roll the map inside the brain's bounding box, one way after the other."""
    scene = found.scene
    brain = scene.brain & scene.counted
    first, last = np.argwhere(brain).min(0), np.argwhere(brain).max(0)
    cut = tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))
    region, brain = (scene.truth & brain)[cut], brain[cut]
    values = np.where(brain, np.nan_to_num(found.voxels)[cut], 0)
    ratios = []
    for flips in product((1, -1), repeat=3):
        turned = values[tuple(slice(None, None, f) for f in flips)]
        for shift in product(*(range(n) for n in values.shape)):
            moved = np.roll(turned, shift, (0, 1, 2))
            if moved[brain].sum() >= 0.5 * values.sum():
                ratios.append(moved[region].mean() / moved[brain].mean())
    return ratios


def test_shifted_maps_are_those_that_are_rolled_one_by_one() -> None:
    scene = odd_scene()
    brain = box(SHAPE, (4, 7, 2), (10, 14, 8))
    brain[4, 7] = brain[10, 14] = False  # no box
    scene = replace(scene, brain=brain)
    tokens = np.maximum(random(scene) - 0.6, 0)
    found = judged(tokens, scene)
    expected = np.sort(plain_shifts(found))
    np.testing.assert_allclose(np.sort(shifted(found, "positive")), expected, atol=1e-9)
    value = scored("roi_enrichment", found).value
    score = scored("roi_rank", found)
    below, same = (expected < value - 1e-9).mean(), (np.abs(expected - value) <= 1e-9).mean()
    assert score.value == pytest.approx(below + same / 2)
    assert 0 < score.value < 1
    curve = score.curves["enrichment of shifted maps"]
    assert curve.values == pytest.approx(np.quantile(expected, curve.fractions))


def test_the_oracle_ranks_first_and_an_even_map_in_the_middle() -> None:
    scene = odd_scene()
    assert scored("roi_rank", control("oracle", scene)).value > 0.99
    assert scored("roi_rank", control("constant", scene)).value == 0.5
    assert scored("roi_rank", control("inverted_oracle", scene)).value < 0.1


def test_a_region_without_relevance_has_no_logarithm() -> None:
    scene = cube_scene()
    tokens = np.zeros((6, 6, 6))
    tokens[5, 5, 5] = 1
    score = scored("roi_enrichment", judged(tokens, scene), {"scale": "log2"})
    assert isnan(score.value)
    assert "logarithm" in score.reason
    assert scored("roi_enrichment", judged(tokens, scene)).value == 0


@pytest.mark.parametrize("name", ["truth", "distractor", "brain"])
def test_masks_that_say_nothing_are_said(name: str) -> None:
    metric = {"truth": "auroc", "distractor": "distractor_mass", "brain": "in_brain_mass"}[name]
    scene: Scene = odd_scene()
    for mask, word in ((np.zeros(SHAPE, bool), "empty"), (np.ones(SHAPE, bool), "everything")):
        score = scored(metric, control("random", replace(scene, **{name: mask})))
        assert isnan(score.value)
        assert f"the {name} mask is {word}" in score.reason
    missing = scored(metric, control("random", replace(scene, **{name: None})))
    assert "no mask" in missing.reason
