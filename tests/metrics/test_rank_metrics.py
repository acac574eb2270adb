"""Metrics of order: against scikit-learn, by closed forms, and with ties broken in every way."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import box, cube_scene, odd_scene
from sklearn.metrics import average_precision_score, roc_auc_score

from g3dvit_napari.core.controls import control, judged, random
from g3dvit_napari.core.evaluation import Compared, Evaluation
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.average_precision import chance_of
from g3dvit_napari.metrics.localisation.ranking import ranked, top_count

LEVELS = ("voxel", "patch")


def value(name: str, evaluation: Evaluation, **settings: object) -> float:
    return METRICS[name].function(evaluation, **settings).value


def maps(kind: str) -> Evaluation:
    """A map without ties, one of few values, or a rectified one that is mostly zero."""
    scene = odd_scene()
    noise = random(scene)
    if kind == "tied":
        noise = np.round(noise * 3)
    elif kind == "rectified":
        noise = np.maximum(noise - 0.8, 0)
    return judged(noise, scene)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["free", "tied", "rectified"])
def test_auroc_and_average_precision_are_those_of_scikit_learn(kind: str, level: str) -> None:
    judged_map = maps(kind)
    found = judged_map.compared(level)
    expected = roc_auc_score(found.target, found.values)
    assert value("auroc", judged_map, level=level) == pytest.approx(expected, abs=1e-12)
    expected = average_precision_score(found.target, found.values)
    assert value("average_precision", judged_map, level=level) == pytest.approx(expected, abs=1e-12)


def plain_best_iou(values: NDArray[np.float64], target: NDArray[np.bool_]) -> float:
    cuts = [values >= cut for cut in np.unique(values)]
    return max((cut & target).sum() / (cut | target).sum() for cut in cuts)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["tied", "rectified"])
def test_the_best_iou_is_that_of_all_cuts_tried(kind: str, level: str) -> None:
    judged_map = maps(kind)
    found = judged_map.compared(level)
    expected = plain_best_iou(found.values, found.target)
    assert value("max_iou", judged_map, level=level) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("top", range(1, 8))
def test_ties_count_with_the_mean_over_all_orders(top: int) -> None:
    values = np.array([3.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    target = np.array([0, 1, 0, 1, 1, 0, 0], dtype=bool)
    means = []
    for order in permutations(range(7)):
        first = sorted(order, key=lambda place: -values[place])[:top]  # keeps the order of ties
        means.append(target[first].sum())
    found = ranked(Compared(values, target, target.astype(float)))
    assert found.expected_hits(top) == pytest.approx(np.mean(means))


@pytest.mark.parametrize("level", LEVELS)
def test_rank_accuracy_without_ties_counts_the_strongest(level: str) -> None:
    judged_map = maps("free")
    found = judged_map.compared(level)
    size = int(found.target.sum())
    strongest = np.argsort(-found.values, kind="stable")
    if level == "patch":  # clamped edges repeat values on voxels
        assert np.unique(found.values).size == found.values.size
        expected = found.target[strongest[:size]].mean()
        assert value("relevance_rank", judged_map, level=level) == pytest.approx(expected)
        few = top_count(found.values.size, 10.0)
        expected = found.target[strongest[:few]].mean()
        got = value("top_k_intersection", judged_map, level=level, top=10.0)
        assert got == pytest.approx(expected)
    else:
        ranks = value("relevance_rank", judged_map, level=level)
        assert 0 <= ranks <= 1


@pytest.mark.parametrize(("count", "target"), [(6, 1), (6, 2), (7, 3), (5, 5)])
def test_the_chance_of_average_precision_is_the_mean_over_all_orders(
    count: int, target: int
) -> None:
    inside = np.arange(count) < target
    scores = [
        average_precision_score(np.array(inside)[list(order)], -np.arange(count))
        for order in permutations(range(count))
    ]
    ranking = ranked(Compared(np.arange(count, dtype=float), inside, inside.astype(float)))
    assert chance_of(ranking) == pytest.approx(np.mean(scores), abs=1e-12)


@pytest.mark.parametrize("name", ["auroc", "average_precision", "relevance_rank", "max_iou"])
@pytest.mark.parametrize("level", LEVELS)
def test_order_alone_matters(name: str, level: str) -> None:
    scene = cube_scene()
    noise = random(scene)
    once = value(name, judged(noise, scene), level=level)
    assert value(name, judged(7.5 * noise, scene), level=level) == pytest.approx(once, abs=1e-12)
    if level == "patch":
        squared = judged(noise**2, scene)
        assert value(name, squared, level=level) == pytest.approx(once, abs=1e-12)


@pytest.mark.parametrize("name", ["auroc", "average_precision", "relevance_rank", "max_iou"])
def test_the_oracle_is_best_and_its_inverse_worst_on_patches(name: str) -> None:
    for scene in (cube_scene(), odd_scene()):
        assert value(name, control("oracle", scene), level="patch") == pytest.approx(1.0)
        assert value(name, control("inverted_oracle", scene), level="patch") < 0.51


def test_a_target_that_touches_every_patch_has_no_auroc() -> None:
    scene = cube_scene(8, 2, 4)
    scene = replace(scene, truth=~box((8, 8, 8), (3, 3, 3), (3, 3, 3)))
    found = METRICS["auroc"].function(control("random", scene), level="patch")
    assert np.isnan(found.value)
    assert "every patch" in found.reason
