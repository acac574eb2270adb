"""Statistics against scipy, published worked examples (Demšar 2006), and brute force."""

from __future__ import annotations

from itertools import product
from math import isnan, nan

import numpy as np
import pytest
from scipy import stats

from g3dvit_napari.benchmark.statistics.bootstrap import (
    differences,
    intervals,
    resampled,
    seed_mean,
)
from g3dvit_napari.benchmark.statistics.critical_difference import cliques, critical_difference
from g3dvit_napari.benchmark.statistics.friedman import (
    chi_squared,
    friedman,
    iman_davenport,
    kendall_w,
)
from g3dvit_napari.benchmark.statistics.paired import holm, mcnemar, signed_rank
from g3dvit_napari.benchmark.statistics.ranking import ranks_within

# Demšar 2006, table 2: AUC of C4.5 and of C4.5 with cross-validated m, on 14 data sets.
WITHOUT = np.array(
    [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1, 0.940, 0.619, 0.972, 0.957]
)
WITH_M = np.array(
    [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1, 0.962, 0.666, 0.981, 0.978]
)
MEAN_RANKS = (3.143, 2.000, 2.893, 1.964)  # Demšar 2006, table 6: four classifiers, 14 data sets


def test_the_worked_example_of_demsar() -> None:
    statistic = chi_squared(MEAN_RANKS, 14)
    assert statistic == pytest.approx(9.28, abs=0.01)
    assert iman_davenport(statistic, 14, 4) == pytest.approx(3.69, abs=0.01)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.005)
    # At 0.10 the ends differ, and so the tuned ones from C4.5; at 0.05 none does.
    assert cliques(MEAN_RANKS, critical_difference(4, 14)) == [(0, 3)]
    assert cliques(MEAN_RANKS, critical_difference(4, 14, 0.10)) == [(0, 2), (2, 3)]


def test_friedman_is_scipys_with_ties() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4, size=(9, 5)).astype(float)
    found = friedman(values)
    expected = stats.friedmanchisquare(*values.T)
    assert found.chi_squared == pytest.approx(expected.statistic)
    assert found.p_chi_squared == pytest.approx(expected.pvalue)


def test_lower_may_be_better_and_array_order_does_not_matter() -> None:
    values = np.random.default_rng(6).normal(size=(7, 4))
    assert friedman(-values, higher=False) == friedman(values)
    turned = friedman(values[::-1, ::-1])
    assert turned.mean_ranks[::-1] == pytest.approx(friedman(values).mean_ranks)
    assert turned.chi_squared == pytest.approx(friedman(values).chi_squared)


def test_what_cannot_be_tested_is_nan_and_gaps_are_refused() -> None:
    assert isnan(friedman(np.array([[1.0, 2.0, 3.0]])).chi_squared)
    assert isnan(friedman(np.ones((5, 3))).chi_squared)
    with pytest.raises(ValueError, match="gaps"):
        ranks_within(np.array([[1.0, nan]]))


def test_kendalls_w_of_full_and_no_agreement() -> None:
    assert kendall_w(np.array([[1.0, 2.0, 3.0]] * 4)) == pytest.approx(1.0)
    assert kendall_w(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])) == pytest.approx(0.0)
    # Of two judges W is (1 + Spearman's rho) / 2.
    values = np.random.default_rng(3).normal(size=(2, 8))
    rho = stats.spearmanr(*values).statistic
    assert kendall_w(values) == pytest.approx((1 + rho) / 2)


# Demšar 2006, table 5.
@pytest.mark.parametrize(
    ("methods", "q05", "q10"), [(2, 1.960, 1.645), (5, 2.728, 2.459), (10, 3.164, 2.920)]
)
def test_the_critical_values_of_nemenyis_test(methods: int, q05: float, q10: float) -> None:
    scale = np.sqrt(methods * (methods + 1) / 6)
    assert critical_difference(methods, 1) / scale == pytest.approx(q05, abs=1e-3)
    assert critical_difference(methods, 1, 0.10) / scale == pytest.approx(q10, abs=1e-3)


def test_cliques_are_the_largest_groups() -> None:
    assert cliques([3.1, 1.0, 1.5, 2.4], 1.0) == [(0, 1), (1, 2), (2, 3)]
    assert cliques([1.0, 2.0, 3.0], 5.0) == [(0, 2)]
    assert cliques([1.0, 2.0, 3.0], 0.5) == []
    assert cliques([1.0, 1.0, 3.0], 0.5) == [(0, 1)]


def test_wilcoxon_of_demsars_example() -> None:
    found = signed_rank(WITH_M, WITHOUT)
    assert (found.pairs, found.different) == (14, 12)
    assert found.p < 0.05  # as Demšar concludes
    # Demšar gives half the ranks of the two ties to each side, R+ = 93 and R- = 12. They hold the
    # ranks 1 and 2, so without them 10 and 2 signs lose 2 each: R+ = 71.5, R- = 6.5.
    assert found.rank_biserial == pytest.approx((71.5 - 6.5) / 78)


def test_the_exact_p_is_the_share_of_all_signs() -> None:
    difference = np.array([0.3, -0.1, 0.7, 0.2, 0.9, 0.4, -0.25])
    ranks = stats.rankdata(np.abs(difference))
    seen = ranks[difference > 0].sum()
    sums = np.array([np.dot(signs, ranks) for signs in product((0, 1), repeat=7)])
    far = np.abs(sums - ranks.sum() / 2) >= abs(seen - ranks.sum() / 2) - 1e-9
    found = signed_rank(difference, np.zeros(7))
    assert found.p == pytest.approx(far.mean())
    assert found.rank_biserial == pytest.approx(2 * seen / ranks.sum() - 1)
    assert found.median == 0.3
    assert signed_rank(np.zeros(7), difference).rank_biserial == -found.rank_biserial


@pytest.mark.parametrize("count", [8, 30, 49, 80])
def test_wilcoxon_is_scipys(count: int) -> None:
    difference = np.random.default_rng(count).normal(0.2, 1.0, count)
    known = stats.wilcoxon(difference, method="exact" if count <= 50 else "approx")
    assert signed_rank(difference, np.zeros(count)).p == pytest.approx(known.pvalue, rel=1e-9)


def test_ties_are_exact_too() -> None:
    difference = np.array([1.0, 1.0, -1.0, 2.0, 2.0, 3.0, -2.0, 1.0])
    ranks = stats.rankdata(np.abs(difference))
    sums = np.array([np.dot(signs, ranks) for signs in product((0, 1), repeat=8)])
    off = abs(ranks[difference > 0].sum() - ranks.sum() / 2)
    expected = (np.abs(sums - ranks.sum() / 2) >= off - 1e-9).mean()
    assert signed_rank(difference, np.zeros(8)).p == pytest.approx(expected)
    many = np.tile(difference, 12)
    assert signed_rank(many, np.zeros(96)).p == pytest.approx(
        stats.wilcoxon(many, method="approx").pvalue
    )


def test_equal_methods_have_nothing_to_test() -> None:
    found = signed_rank([1.0, 2.0, nan], [1.0, 2.0, 3.0])
    assert (found.pairs, found.different, found.median) == (2, 0, 0.0)
    assert isnan(found.p)
    with pytest.raises(ValueError, match="length"):
        signed_rank([1.0], [1.0, 2.0])


def test_mcnemar_counts_only_where_they_differ() -> None:
    first = [True] * 9 + [False] * 1 + [True] * 50
    second = [False] * 9 + [True] * 1 + [True] * 50
    # 10 coins, 9 or more on one side: 2 (10 + 1) / 1024.
    assert mcnemar(first, second) == pytest.approx(22 / 1024)
    assert mcnemar([True, False], [True, False]) == 1.0


def test_holm_step_by_step() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    found = holm([0.02, nan, 0.5])
    assert isnan(found[1])
    assert found[[0, 2]] == pytest.approx([0.04, 0.5])
    assert holm([]).size == 0


def test_every_network_counts_the_same_and_gaps_do_not_count() -> None:
    groups = [np.array([[1.0], [3.0], [nan]]), np.array([[10.0]])]
    assert seed_mean(groups) == pytest.approx([6.0])


def test_one_network_gives_the_bootstrap_of_scipy() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=40)
    found = intervals([values[:, None]], draws=20_000)[0]
    rng = np.random.default_rng(2)
    known = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=rng)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(known.confidence_interval.low, abs=0.02)
    assert found.high == pytest.approx(known.confidence_interval.high, abs=0.02)


def test_the_draws_are_those_of_a_plain_loop() -> None:
    """The variance of the mean is that of seeds plus that of volumes, by the plain double loop."""
    rng = np.random.default_rng(5)
    groups = [
        rng.normal(centre, 1.0, (size, 1)) for centre, size in ((0, 12), (2, 20), (5, 6), (1, 9))
    ]
    plain = []
    for _ in range(6000):
        drawn = [groups[i] for i in rng.integers(4, size=4)]
        plain.append(np.mean([rng.choice(group[:, 0], len(group)).mean() for group in drawn]))
    found = resampled(groups, draws=6000, seed=7)[:, 0]
    assert found.mean() == pytest.approx(np.mean(plain), abs=0.08)
    assert found.std() == pytest.approx(np.std(plain), rel=0.05)
    pooled = np.concatenate(groups)[:, 0]
    assert found.std() > 2 * pooled.std() / np.sqrt(pooled.size)  # pooling would claim too much


def test_differences_are_paired_and_draws_are_repeatable() -> None:
    volumes = np.random.default_rng(4).normal(0.0, 5.0, 30)
    group = np.stack([volumes + 1.0, volumes], axis=1)  # always better by one
    found = differences([group, group + 3.0], 0, 1)
    assert (found.mean, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))
    assert np.array_equal(resampled([group]), resampled([group]))
    assert not np.array_equal(resampled([group], seed=1), resampled([group]))
