"""Metrics that take a volume apart, derived once more by plain loops, and in closed form."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from made_scenes import Additive, map_of, scene_of

from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.removal import counts_of
from g3dvit_napari.core.score import Score
from g3dvit_napari.core.spec import ModelSpec
from g3dvit_napari.core.types import Volume
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness import courses
from g3dvit_napari.metrics.faithfulness.removal_order import orders_of, random_orders

Made = tuple[Scene, Additive]
BY_ORDER = (
    "abpc", "aopc", "deletion", "flip_count", "insertion", "insertion_minus_deletion",
    "lerf_accuracy", "morf_accuracy", "road",
)  # fmt: skip


@pytest.fixture
def made(tiny_volume: Volume, tiny_spec: ModelSpec) -> Made:
    return scene_of(tiny_volume, tiny_spec)


def some_map(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=36) ** 2  # no two alike


def plain(network: Additive, values: np.ndarray, counts: list[int], *, keep: bool = False) -> list:
    """Return the probabilities (3) with the first of falling (or, kept, rising) values gone."""
    order = sorted(range(36), key=lambda unit: values[unit] if keep else -values[unit])
    found = []
    for count in counts:
        logits = network.offset.copy()
        for unit in range(36):
            if unit not in order[:count]:
                logits = logits + network.weights[unit]
        raised = np.exp(logits)
        found.append(raised / raised.sum())
    return found


def trapezoids(values: list[float], places: list[float]) -> float:
    pairs = zip(values[1:], values[:-1], places[1:], places[:-1], strict=True)
    return sum((a + b) / 2 * (x - y) for a, b, x, y in pairs)


def early() -> list[int]:
    return sorted({round(36 * (s / 40) ** 2) for s in range(41)})


def test_deletion_and_insertion_by_a_plain_loop(made: Made) -> None:
    scene, network = made
    values = some_map()
    counts = early()
    assert counts == counts_of("early", 36).tolist()
    curve = [p[0] for p in plain(network, values, counts)]
    score = scored("deletion", map_of(values, scene))
    places = [n / 36 for n in counts]
    assert score.value == pytest.approx(trapezoids(curve, places), abs=1e-12)
    assert score.curves["deletion"].values == pytest.approx(curve)
    assert score.curves["deletion"].fractions == pytest.approx(places)
    back = [p[0] for p in plain(network, values, [36 - n for n in counts], keep=True)]
    inserted = scored("insertion", map_of(values, scene))
    assert inserted.value == pytest.approx(trapezoids(back, places), abs=1e-12)
    both = scored("insertion_minus_deletion", map_of(values, scene))
    assert both.value == pytest.approx(inserted.value - score.value, abs=1e-12)
    assert both.chance == pytest.approx(inserted.chance - score.chance, abs=1e-12)


def test_on_equal_steps_the_area_is_rises(made: Made) -> None:
    scene, _ = made
    score = scored("deletion", map_of(some_map(), scene), {"steps": "patch"})
    p = np.array(score.curves["deletion"].values)
    assert len(p) == 37
    assert score.value == pytest.approx((p.sum() - (p[0] + p[-1]) / 2) / 36)


def test_normalised_curves_run_from_one_to_zero(made: Made) -> None:
    scene, network = made
    score = scored("deletion", map_of(some_map(), scene), {"normalised": True})
    whole, bare = (p[0] for p in plain(network, some_map(), [0, 36]))
    assert score.figures["probability"] == pytest.approx(whole)
    assert score.figures["probability_baseline"] == pytest.approx(bare)
    plainly = scored("deletion", map_of(some_map(), scene))
    assert score.value == pytest.approx((plainly.value - bare) / (whole - bare))
    for name in ("deletion", "insertion"):
        curve = scored(name, map_of(some_map(), scene)).curves[f"{name}, normalised"]
        ends = (1, 0) if name == "deletion" else (0, 1)
        assert (curve.values[0], curve.values[-1]) == pytest.approx(ends)


def test_aopc_flips_and_perturbation_tests_by_plain_loops(made: Made) -> None:
    scene, network = made
    values, judged = some_map(), map_of(some_map(), scene)
    fallen = [p[0] for p in plain(network, values, early())]
    assert scored("aopc", judged).value == pytest.approx(np.mean(fallen[0] - np.array(fallen)))
    one_by_one = plain(network, values, list(range(37)))
    flip = next(n for n, p in enumerate(one_by_one) if np.argmax(p) != np.argmax(one_by_one[0]))
    assert 1 < flip < 36
    assert scored("flip_count", judged, {"steps": "patch"}).value == flip
    tenths = [round(36 * k / 10) for k in range(11)]
    most, least = (plain(network, values, tenths, keep=keep) for keep in (False, True))
    between = np.mean([b[0] - a[0] for a, b in zip(most, least, strict=True)])
    assert scored("abpc", judged).value == pytest.approx(between)
    places = [n / 36 for n in tenths[1:-1]]
    for name, found in (("morf_accuracy", most), ("lerf_accuracy", least)):
        wins = [float(np.argmax(p) == 0) for p in found[1:-1]]
        assert sum(wins) > 0
        expected = trapezoids(wins, places) / (places[-1] - places[0])
        assert scored(name, judged).value == pytest.approx(expected)


def test_road_combines_both_orders_at_few_exact_counts(made: Made) -> None:
    scene, network = made
    counts = sorted({round(36 * s) for s in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9)} - {0})
    assert counts == [1, 2, 4, 7, 18, 32]
    most, least = (plain(network, some_map(), counts, keep=keep) for keep in (False, True))
    expected = np.mean([(b[0] - a[0]) / 2 for a, b in zip(most, least, strict=True)])
    assert scored("road", map_of(some_map(), scene)).value == pytest.approx(expected)


@pytest.mark.parametrize("name", ["deletion", "insertion", "aopc", "insertion_minus_deletion"])
def test_what_the_network_adds_up_is_the_best_order(name: str, made: Made) -> None:
    scene, network = made
    best = scored(name, map_of(network.weights[:, 0], scene))
    assert best.better_than_chance
    worst = scored(name, map_of(-network.weights[:, 0] + 10, scene))
    assert worst.better_than_chance is False
    sign = -1 if best.direction == "lower" else 1
    for seed in range(20):
        other = scored(name, map_of(some_map(seed), scene))
        assert sign * worst.value <= sign * other.value <= sign * best.value


@pytest.mark.parametrize("name", BY_ORDER)
def test_only_the_order_of_values_counts_not_their_place_or_scale(name: str, made: Made) -> None:
    scene, network = made
    first = scored(name, map_of(some_map(), scene))
    scaled = scored(name, map_of(3 * some_map() + 2, scene))
    assert scaled.value == pytest.approx(first.value, nan_ok=True)
    mixed = np.random.default_rng(9).permutation(36)
    elsewhere = replace(scene, network=replace(network, weights=network.weights[mixed]))
    found = scored(name, map_of(some_map()[mixed], elsewhere))
    assert found.value == pytest.approx(first.value, nan_ok=True)


@pytest.mark.parametrize("name", BY_ORDER)
def test_a_map_that_says_nothing_is_removed_as_chance_is(name: str, made: Made) -> None:
    scene, _ = made
    constant = map_of(np.ones(36), scene)
    raw: Score = METRICS[name].function(constant)
    assert raw.value == pytest.approx(raw.chance)
    assert "degenerate" in scored(name, constant).flags


def test_chance_is_the_mean_over_random_orders(made: Made) -> None:
    scene, network = made
    places = [n / 36 for n in early()]
    areas = []
    for k in range(3):
        drawn = np.random.default_rng((0, k)).permutation(36)
        areas.append(trapezoids([p[0] for p in plain(network, -drawn, early())], places))
    assert np.std(areas) > 0
    score = scored("deletion", map_of(some_map(), scene))
    assert score.chance == pytest.approx(np.mean(areas))
    ends = score.figures["chance_lowest"], score.figures["chance_highest"]
    assert ends == pytest.approx((min(areas), max(areas)))
    of_chance = score.curves["deletion, chance"]
    assert trapezoids(of_chance.values, of_chance.fractions) == pytest.approx(score.chance)


def test_ties_are_drawn_anew_where_many_of_the_first_half_are_tied(made: Made) -> None:
    scene, _ = made
    distinct = some_map() + 1
    assert len(orders_of(map_of(distinct, scene), "patch")) == 1
    few = np.where(distinct > np.median(distinct), distinct, 0)  # the last half is tied
    assert len(orders_of(map_of(few, scene), "patch")) == 1
    assert len(orders_of(map_of(few, scene), "patch", "least")) == 3
    many = np.where(distinct > np.quantile(distinct, 0.8), distinct, 0)
    orders = orders_of(map_of(many, scene), "patch")
    assert len(orders) == 3
    for ranks in orders:
        assert sorted(ranks) == list(range(36))
        assert (np.diff(many[np.argsort(ranks)]) <= 0).all()
    tied = [ranks[many == 0] for ranks in orders]
    assert not np.array_equal(tied[0], tied[1])
    again = orders_of(map_of(many, scene), "patch")
    np.testing.assert_array_equal(orders, again)


def test_what_does_not_count_is_never_removed(tiny_volume: Volume, tiny_spec: ModelSpec) -> None:
    valid = np.zeros(tiny_volume.shape, dtype=bool)
    valid[6:12, 4:16] = True
    scene, network = scene_of(tiny_volume, tiny_spec, valid=valid)
    counted = scene.counted_units("patch")
    assert 5 < counted.sum() < 30
    for name in BY_ORDER:
        scored(name, map_of(some_map(), scene))
    scored("sensitivity_n", map_of(some_map(), scene))
    met = np.stack(network.met)
    assert not met[:, ~counted].any()
    assert met.any(0)[counted].all()
    fractions = scored("deletion", map_of(some_map(), scene), {"steps": "patch"}).curves["deletion"]
    assert len(fractions.values) == counted.sum() + 1
    for ranks in random_orders(scene, "patch"):
        assert sorted(ranks[counted]) == list(range(counted.sum()))


def test_a_baseline_that_keeps_the_class_is_uninformative(made: Made) -> None:
    scene, network = made
    assert scored("deletion", map_of(some_map(), scene)).flags == ()
    network.offset = np.array([5.0, 0.0, 0.0])
    blind = replace(scene)
    for name in BY_ORDER:
        score = scored(name, map_of(some_map(), blind))
        assert "uninformative" in score.flags
        assert score.figures["probability_baseline"] > 0.98


def test_what_cannot_be_read_is_said(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, network = made
    judged = map_of(some_map(), scene)
    assert "no twin" in scored("deletion", judged, {"substrate": "twin"}).reason
    monkeypatch.setattr(courses, "MOST_ONE_BY_ONE", 35)
    assert "takes 36 passes" in scored("deletion", judged, {"steps": "patch"}).reason
    nowhere = replace(scene, valid=np.zeros(scene.placement.volume.shape, dtype=bool))
    assert "no unit" in scored("deletion", map_of(some_map(), nowhere)).reason
    network.weights = np.zeros((36, 3))
    still = map_of(some_map(), replace(scene))
    assert "another class" in scored("flip_count", still).reason
    assert "same when everything" in scored("deletion", still, {"normalised": True}).reason
    network.weights = np.full((36, 3), np.nan)
    assert "no probability" in scored("insertion", map_of(some_map(), replace(scene))).reason


def test_an_order_that_never_flips_counts_as_all_units_by_chance(made: Made) -> None:
    scene, network = made
    network.weights = np.zeros((36, 3))
    network.weights[4, 0] = 9.0
    found = scored("flip_count", map_of(np.arange(36) == 4, scene), {"steps": "patch"})
    assert found.value == 1
    expected = [np.random.default_rng((0, k)).permutation(36)[4] + 1 for k in range(3)]
    assert found.chance == pytest.approx(np.mean(expected))


def test_the_ceiling_is_the_oracles(tiny_volume: Volume, tiny_spec: ModelSpec) -> None:
    truth = np.zeros(tiny_volume.shape, dtype=bool)
    truth[5:9, 8:14, 3:8] = True
    scene, _ = scene_of(tiny_volume, tiny_spec, truth=truth)
    share = np.nan_to_num(scene.share_of_patches(truth))
    best, other = (scored("deletion", map_of(m, scene)) for m in (share, some_map()))
    assert best.ceiling == pytest.approx(best.value)
    assert other.ceiling == best.ceiling


def test_sensitivity_of_a_linear_network_to_its_own_terms_is_one(made: Made) -> None:
    scene, network = made
    linear = {"answer": "logit"}
    own = scored("sensitivity_n", map_of(network.weights[:, 0], scene), linear)
    assert own.value == pytest.approx(1)
    assert own.curves["correlation by share removed"].fractions == pytest.approx(
        [n / 36 for n in (1, 2, 4, 8, 16)]
    )
    opposite = map_of(-network.weights[:, 0], scene)
    assert scored("sensitivity_n", replace(opposite, signed=True), linear).value == pytest.approx(
        -1
    )
    constant: Evaluation = map_of(np.ones(36), scene)
    assert scored("sensitivity_n", constant).value == 0  # chance
    others = [scored("sensitivity_n", map_of(some_map(k), scene), linear).value for k in range(40)]
    assert abs(np.mean(others)) < 3 * np.std(others) / 40**0.5


def test_sensitivity_by_a_plain_loop(made: Made) -> None:
    scene, network = made
    values, by_size = some_map(), []
    for size in (1, 2, 4, 8, 16):
        random = np.random.default_rng((0, size))
        sums, falls = [], []
        for _ in range(7):
            gone = random.choice(36, size, replace=False)
            order = np.isin(np.arange(36), gone).astype(float)
            whole, without = (p[0] for p in plain(network, order, [0, size]))
            sums.append(sum(values[unit] for unit in gone))
            falls.append(whole - without)
        a, b = np.array(sums) - np.mean(sums), np.array(falls) - np.mean(falls)
        by_size.append((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
    found = scored("sensitivity_n", map_of(values, scene), {"draws": 7})
    assert found.value == pytest.approx(np.mean(by_size))


def test_soft_masks_by_hand(made: Made) -> None:
    scene, network = made
    network.offset = np.array([1.0, 0.0, 0.0])
    size = scene.placement.spec.network.image_size
    network.image = np.random.default_rng(0).random((1, *size)).astype(np.float32) / 500
    values = some_map()
    judged = map_of(values, scene)
    voxels = np.kron(values.reshape(scene.patches.shape), np.ones((4, 5, 5)))
    mask = (voxels - values.min()) / (values.max() - values.min())

    def said(image: np.ndarray) -> float:
        logits = np.array([1 + image.sum(), 0, -image.sum()])
        return float(np.exp(logits[0]) / np.exp(logits).sum())

    whole, masked = said(network.image), said(network.image * mask)
    assert whole > masked
    drop = scored("average_drop", judged)
    assert drop.value == pytest.approx((whole - masked) / whole, rel=1e-4)
    assert 0 < drop.chance < 1
    assert scored("increase_in_confidence", judged).value == 0
    network.image = -network.image
    fresh = map_of(values, replace(scene))
    assert scored("increase_in_confidence", fresh).value == 1
    assert scored("average_drop", fresh).value == 0
    nothing = scored("average_drop", map_of(np.ones(36), replace(scene)))
    assert isnan(nothing.value) or nothing.value == nothing.chance


def test_two_metrics_read_the_same_curves(made: Made) -> None:
    scene, network = made
    judged = map_of(some_map(), scene)
    scored("insertion_minus_deletion", judged)
    asked = len(network.met)
    for name in ("deletion", "insertion", "aopc", "flip_count"):
        before = len(network.met)
        scored(name, judged)
        assert len(network.met) - before <= 8  # the ends alone, which the engine knows by heart
    assert asked > 8 * 30
