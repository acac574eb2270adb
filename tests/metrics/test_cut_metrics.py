"""A map cut in two: against scikit-image and scikit-learn, with ties, and by closed forms."""

from __future__ import annotations

import sys
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import cube_scene, odd_scene
from skimage.filters import threshold_otsu
from sklearn import metrics as reference

from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.controls import control, judged, random
from g3dvit_napari.core.evaluation import Compared
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.confusion import above, at_top
from g3dvit_napari.metrics.localisation.ranking import ranked, top_count

SCORES = {
    "iou": reference.jaccard_score,
    "f1": reference.f1_score,
    "pixel_accuracy": reference.accuracy_score,
    "precision": reference.precision_score,
    "recall": reference.recall_score,
    "matthews": reference.matthews_corrcoef,
    "balanced_accuracy": reference.balanced_accuracy_score,
}


def foreground(values: NDArray[np.float64], cut: str, top: float) -> NDArray[np.bool_]:
    if cut == "otsu":
        return values > threshold_otsu(values)
    if cut == "mean":
        return values > values.mean()
    if cut == "half":
        return (values - values.min()) / np.ptp(values) > 0.5
    inside = np.zeros(values.shape, dtype=bool)
    inside[np.argsort(-values)[: top_count(values.size, top)]] = True
    return inside


@pytest.mark.parametrize("cut", ["otsu", "mean", "half", "top"])
@pytest.mark.parametrize("name", SCORES)
def test_a_map_without_ties_is_cut_and_scored_as_elsewhere(name: str, cut: str) -> None:
    scene = odd_scene()
    for level in ("patch", "voxel"):
        if (level, cut) == ("voxel", "top"):
            continue  # clamped edges tie voxels; the next test is about ties
        found = judged(random(scene) ** 3, scene)
        places = found.compared(level)
        front = foreground(places.values, cut, 20.0)
        assert 0 < front.sum() < front.size
        got = METRICS[name].function(found, level=level, cut=cut, top=20.0).value
        assert got == pytest.approx(SCORES[name](places.target, front), abs=1e-12)


@pytest.mark.parametrize("cut", ["otsu", "mean", "half"])
def test_tied_and_rectified_maps_are_cut_as_elsewhere(cut: str) -> None:
    scene = cube_scene()
    noise = random(scene)
    for tokens in (np.round(noise * 3), np.maximum(noise - 0.9, 0), (noise > 0.95).astype(float)):
        places = judged(tokens, scene).compared("patch")
        found = above(places, cut)
        assert found is not None
        front = foreground(places.values, cut, 0)
        assert found.chosen == front.sum()
        assert found.true_positives[0] == (front & places.target).sum()


@pytest.mark.parametrize("name", SCORES)
def test_ties_at_the_cut_count_with_the_mean_over_all_choices(name: str) -> None:
    values = np.array([3.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    target = np.array([0, 1, 0, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    tied = np.flatnonzero(values == 1)
    scores = []
    for some in combinations(tied, 2):  # three of ten places: the strongest, and two of four
        front = values > 1
        front[list(some)] = True
        scores.append(SCORES[name](target, front))
    found = at_top(ranked(Compared(values, target, target.astype(float))), 30.0)
    measure = getattr(sys.modules[METRICS[name].function.__module__], f"_{name}")
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.expected(measure) == pytest.approx(np.mean(scores), abs=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_a_map_that_is_equal_everywhere_gets_chance(name: str) -> None:
    scene = cube_scene()
    for level in ("patch", "voxel"):
        for cut in ("otsu", "mean", "half", "top"):
            found = METRICS[name].function(control("constant", scene), level=level, cut=cut)
            assert found.value == pytest.approx(found.chance, abs=1e-12), (level, cut)


def test_an_empty_foreground_would_have_won_pixel_accuracy() -> None:
    scene = cube_scene()
    share = scene.truth_share("voxel").mean()
    assert 1 - share > 0.98
    chance = scored("pixel_accuracy", control("constant", scene)).value
    assert chance == pytest.approx(0.5, abs=0.05)


def test_matthews_and_balanced_accuracy_of_nothing_are_known() -> None:
    scene = cube_scene()
    for cut in ("otsu", "top"):
        found = METRICS["matthews"].function(control("random", scene), cut=cut)
        assert found.chance == pytest.approx(0.0, abs=1e-12)
        found = METRICS["balanced_accuracy"].function(control("random", scene), cut=cut)
        assert found.chance == pytest.approx(0.5, abs=1e-12)
        found = METRICS["precision"].function(control("random", scene), cut=cut)
        assert found.chance == pytest.approx(scene.truth_share("voxel").mean(), abs=1e-12)


def test_everything_in_front_has_no_correlation() -> None:
    found = METRICS["matthews"].function(control("random", cube_scene()), cut="top", top=100.0)
    assert found.value == 0.0


def test_otsu_does_not_cut_the_oracle_well() -> None:
    """The oracle is a reference for cuts, and no bound: a map that fills its patches beats it."""
    scene = cube_scene(24, 6, 4)
    best = control("oracle", scene)
    filled = judged((best.tokens > 0.4).astype(float), scene)
    at_otsu = METRICS["iou"].function(best).value
    assert at_otsu < METRICS["max_iou"].function(best).value < 1
    assert METRICS["iou"].function(filled, level="patch").value != pytest.approx(1.0)
    assert METRICS["iou"].function(filled).value > at_otsu
