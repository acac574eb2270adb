"""Is it a map, on which scale, cut where."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.otsu import otsu
from g3dvit_napari.core.threshold import apply_cut, cut_value, scaled, status_of
from g3dvit_napari.core.types import Threshold

EPS = float(np.finfo(np.float32).eps)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 5, 7))


class TestStatus:
    def test_a_usual_map_is_ok(self, values: np.ndarray) -> None:
        assert status_of(values, np.abs(values) * 100) == ("ok", "")

    def test_small_numbers_are_no_noise_by_themselves(self, values: np.ndarray) -> None:
        assert status_of(values * 1e-30, np.abs(values) * 1e-28)[0] == "ok"

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_not_finite(self, values: np.ndarray, bad: float) -> None:
        values[1, 2, 3] = bad
        status, sentence = status_of(values, np.abs(values))
        assert status == "not finite"
        assert "not finite" in sentence

    def test_zero(self) -> None:
        assert status_of(np.zeros((2, 2, 2)), np.ones((2, 2, 2)))[0] == "zero"

    @pytest.mark.parametrize("value", [3.0, -0.25])
    def test_constant(self, value: float) -> None:
        assert status_of(np.full((2, 3, 2), value), np.full((2, 3, 2), 5.0))[0] == "constant"

    def test_constant_up_to_rounding(self, values: np.ndarray) -> None:
        assert status_of(1 + values * 1e-8, np.full(values.shape, 2.0))[0] == "constant"

    def test_a_sum_that_cancels_to_rounding_is_noise(self) -> None:
        rng = np.random.default_rng(1)
        features = rng.normal(size=(3, 5, 7, 1024)).astype(np.float32)
        features -= features.mean(-1, keepdims=True)  # as behind a norm of unit weight
        noise, size = features.sum(-1, dtype=np.float64), np.abs(features).sum(-1, dtype=np.float64)
        assert np.abs(noise).max() > 0
        status, sentence = status_of(noise, size)
        assert status == "rounding noise"
        assert "rounding error" in sentence

    def test_a_norm_barely_moved_by_training_is_no_noise(self) -> None:
        rng = np.random.default_rng(1)
        features = rng.normal(size=(3, 5, 7, 1024)).astype(np.float32)
        features -= features.mean(-1, keepdims=True)
        features *= rng.normal(1, 0.01, 1024).astype(np.float32)
        values = features.sum(-1, dtype=np.float64)
        assert status_of(values, np.abs(features).sum(-1, dtype=np.float64))[0] == "ok"

    def test_one_strong_token_is_enough(self) -> None:
        values, size = np.zeros((2, 2, 2)), np.full((2, 2, 2), 1.0)
        values[0, 1, 0] = 20 * EPS
        assert status_of(values, size)[0] == "ok"
        values[0, 1, 0] = 4 * EPS
        assert status_of(values, size)[0] == "rounding noise"

    def test_only_negative_values_are_nothing_to_show_where_the_sign_is_dropped(
        self, values: np.ndarray
    ) -> None:
        negative = -np.abs(values)
        assert status_of(negative, -negative, signed=False)[0] == "zero"
        assert "against the class" in status_of(negative, -negative, signed=False)[1]
        assert status_of(negative, -negative, signed=True)[0] == "ok"


class TestScaled:
    def test_unsigned_maps_lose_their_negative_part_and_span_0_to_1(
        self, values: np.ndarray
    ) -> None:
        shown = scaled(values, signed=False)
        assert shown.min() == 0
        assert shown.max() == 1
        assert np.array_equal(shown == 0, values <= 0)
        np.testing.assert_allclose(shown[values > 0], values[values > 0] / values.max())

    def test_positive_maps_are_stretched_from_their_smallest_value(self) -> None:
        shown = scaled(np.array([[[2.0, 3.0, 6.0]]]), signed=False)
        assert shown.tolist() == [[[0.0, 0.25, 1.0]]]

    def test_signed_maps_keep_zero_and_span_up_to_1(self, values: np.ndarray) -> None:
        shown = scaled(values, signed=True)
        assert np.abs(shown).max() == 1
        np.testing.assert_allclose(shown, values / np.abs(values).max())

    @pytest.mark.parametrize("signed", [True, False])
    @pytest.mark.parametrize("tiny", [1e-300, 1e-7])
    def test_the_unit_of_the_logits_does_not_matter(
        self, values: np.ndarray, signed: bool, tiny: float
    ) -> None:
        found = scaled(values * tiny, signed=signed)
        np.testing.assert_allclose(found, scaled(values, signed=signed), rtol=1e-9)

    @pytest.mark.parametrize(
        ("map_", "signed"),
        [
            (np.zeros((2, 2, 2)), False),
            (np.zeros((2, 2, 2)), True),
            (np.full((2, 2, 2), 3.0), False),
            (np.full((2, 2, 2), -3.0), False),
            (np.full((2, 2, 2), np.nan), True),
            (np.full((2, 2, 2), np.inf), False),
        ],
    )
    def test_without_a_range_nothing_is_made_up(self, map_: np.ndarray, signed: bool) -> None:
        assert not scaled(map_, signed=signed).any()

    def test_the_input_is_not_changed(self, values: np.ndarray) -> None:
        before = values.copy()
        scaled(values, signed=False)
        assert np.array_equal(values, before)


class TestKeep:
    @pytest.mark.parametrize("keep", [0.0, 5.0, 33.3, 100.0])
    def test_it_is_the_percentile(self, values: np.ndarray, keep: float) -> None:
        cut = cut_value(values, Threshold("keep", keep))
        assert cut == pytest.approx(np.percentile(values, 100 - keep), rel=1e-12)

    def test_what_equals_the_cut_stays(self) -> None:
        map_ = np.arange(101.0)
        cut = cut_value(map_, Threshold("keep", 5.0))
        assert cut == 95
        assert np.count_nonzero(apply_cut(map_, cut, signed=False)) == 6  # 95 … 100

    def test_ties_keep_more_never_less(self) -> None:
        map_ = np.array([0.0] * 90 + [1.0] * 10)
        cut = cut_value(map_, Threshold("keep", 5.0))
        assert np.count_nonzero(apply_cut(map_, cut, signed=False)) == 10

    def test_signed_maps_are_cut_by_size(self) -> None:
        map_ = np.array([-4.0, -1.0, 0.5, 2.0])
        cut = cut_value(map_, Threshold("keep", 50.0), signed=True)
        assert cut == 1.5
        assert apply_cut(map_, cut, signed=True).tolist() == [-4, 0, 0, 2]

    def test_only_the_mask_counts_and_nan_never_does(self) -> None:
        map_ = np.concatenate([np.zeros(1000), np.arange(101.0), [np.nan]])
        mask = np.concatenate([np.zeros(1000), np.ones(102)])
        assert cut_value(map_, Threshold("keep", 5.0), mask) == 95
        assert cut_value(map_, Threshold("keep", 5.0)) != 95
        assert cut_value(map_, Threshold("keep", 5.0), np.zeros(1102)) is None

    @pytest.mark.parametrize("keep", [-1.0, 100.5, float("nan")])
    def test_more_than_everything_is_refused(self, values: np.ndarray, keep: float) -> None:
        with pytest.raises(MethodError, match="between 0 and 100"):
            cut_value(values, Threshold("keep", keep))

    def test_keeping_more_never_hides_anything(self, values: np.ndarray) -> None:
        cuts = [cut_value(values, Threshold("keep", k)) for k in (1, 5, 20, 60)]
        assert all(a > b for a, b in pairwise(cuts))


class TestMass:
    def test_the_fewest_places_that_hold_the_share(self) -> None:
        map_ = np.array([1.0, 5.0, 0.0, 3.0, 1.0])
        assert cut_value(map_, Threshold("mass", 50.0)) == 5
        assert cut_value(map_, Threshold("mass", 50.1)) == 3
        assert cut_value(map_, Threshold("mass", 80.0)) == 3
        assert cut_value(map_, Threshold("mass", 100.0)) == 1

    def test_it_is_the_smallest_set(self, values: np.ndarray) -> None:
        sizes = np.abs(values).ravel()
        cut = cut_value(values, Threshold("mass", 50.0), signed=True)
        kept = sizes[sizes >= cut]
        assert kept.sum() >= sizes.sum() / 2 > kept.sum() - kept.min()

    def test_shares_outside_0_to_100_are_refused(self, values: np.ndarray) -> None:
        with pytest.raises(MethodError, match="mass must be between 0 and 100 per cent, got 101"):
            cut_value(values, Threshold("mass", 101.0))


class TestOtsu:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_it_equals_scikit_image(self, dtype: type) -> None:
        skimage = pytest.importorskip("skimage.filters")
        rng = np.random.default_rng(2)
        for shape in ((40, 50), (7, 9)):
            map_ = np.concatenate([rng.beta(2, 9, shape), rng.beta(9, 3, shape)]).astype(dtype)
            found = cut_value(map_, Threshold("otsu"))
            assert found == pytest.approx(float(skimage.threshold_otsu(map_)), rel=1e-5)

    def test_inside_a_brain_mask_air_does_not_count(self) -> None:
        rng = np.random.default_rng(2)
        tissue = [rng.normal(0.5, 0.02, 500), rng.normal(0.9, 0.02, 500)]
        map_ = np.concatenate([np.zeros(5000), *tissue])
        assert cut_value(map_, Threshold("otsu")) < 0.5
        inside = cut_value(map_, Threshold("otsu"), np.arange(6000) >= 5000)
        assert 0.52 < inside < 0.88

    def test_a_constant_map_has_no_threshold(self) -> None:
        assert otsu(np.full(9, 0.3)) is None
        assert cut_value(np.zeros(9), Threshold("otsu")) is None

    def test_two_values_are_separated(self) -> None:
        map_ = np.array([0.0] * 50 + [1.0] * 3)
        shown = apply_cut(map_, cut_value(map_, Threshold("otsu")), signed=False)
        assert shown.tolist() == map_.tolist()


class TestCut:
    def test_value_and_none(self, values: np.ndarray) -> None:
        assert cut_value(values, Threshold("value", 0.4)) == 0.4
        assert cut_value(values, Threshold("none")) is None
        assert apply_cut(values, None, signed=True) is values

    def test_nan_stays_and_the_type_too(self) -> None:
        map_ = np.array([np.nan, -0.9, 0.1, 0.5], np.float32)
        for signed, wanted in ((False, [0, 0, 0.5]), (True, [-0.9, 0, 0.5])):
            shown = apply_cut(map_, 0.4, signed=signed)
            assert shown.dtype == np.float32
            assert np.isnan(shown[0])
            np.testing.assert_allclose(shown[1:], np.float32(wanted))

    @pytest.mark.parametrize("kind", ["keep", "otsu"])
    def test_a_whole_volume_is_cut_at_once(self, kind: str) -> None:
        map_ = np.random.default_rng(0).random((91, 109, 91)).astype(np.float32)
        seconds = []
        for _ in range(5):
            started = time.process_time()
            apply_cut(map_, cut_value(map_, Threshold(kind)), signed=False)
            seconds.append(time.process_time() - started)
        assert min(seconds) < 0.02 * 3  # a shared machine may be slow; see docs/cost.md
