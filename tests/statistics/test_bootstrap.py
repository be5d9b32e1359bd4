"""Cluster bootstrap of means, differences and any statistic."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from paraspine import statistics
from paraspine.arrays import SettingsError, ShapeError
from paraspine.statistics import bootstrap

NAN, INF = np.nan, np.inf


def test_weights_stand_for_draws_of_whole_clusters():
    draws = statistics.cluster_weights(["b", "a", "b", "c"], resamples=500, seed=1)
    assert draws.labels.tolist() == ["b", "a", "c"]
    assert draws.codes.tolist() == [0, 1, 0, 2]
    assert draws.weights.shape == (500, 3)
    assert (draws.weights.sum(axis=1) == 3).all()
    assert draws.weights.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.15)
    again = statistics.cluster_weights(["b", "a", "b", "c"], resamples=500, seed=1)
    assert (again.weights == draws.weights).all()


def test_mean_by_hand():
    found = statistics.mean_interval([1, 2, NAN, 6])
    assert found.value == 3
    assert 1 <= found.low < 3 < found.high <= 6
    assert np.isnan(found.p)


def test_mean_equals_the_general_bootstrap():
    generator = np.random.default_rng(0)
    values, groups = generator.normal(5, 1, 60), np.repeat(np.arange(12), 5)
    fast = statistics.mean_interval(values, groups, 300, 2, null=5.0)
    plain = statistics.cluster_bootstrap(values, groups, np.mean, 300, 2, null=5.0)
    assert (fast.value, fast.low, fast.high, fast.p) == pytest.approx(
        (plain.value, plain.low, plain.high, plain.p)
    )


def test_mean_against_scipy_bootstrap():
    values = np.random.default_rng(1).gamma(2, size=80)
    found = statistics.mean_interval(values, resamples=20_000)
    other = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.02)


def test_general_bootstrap_of_a_frame():
    frame = pd.DataFrame({"subject": list("aabbcc"), "v": [1.0, 2, 3, 4, 5, 6]})
    found = statistics.cluster_bootstrap(frame, "subject", lambda rows: rows["v"].median(), 2000)
    assert found.value == 3.5
    assert found.low == 1.5
    assert found.high == 5.5
    by_row = statistics.cluster_bootstrap(frame["v"], None, np.median, 200)
    assert by_row.value == 3.5


def test_difference_is_paired():
    generator = np.random.default_rng(2)
    level = np.repeat(generator.normal(0, 10, 20), 3)
    a = level + generator.normal(0.5, 0.2, 60)
    b = level + generator.normal(0, 0.2, 60)
    groups = np.repeat(np.arange(20), 3)
    found = statistics.difference_interval(a, b, groups)
    assert found.value == pytest.approx((a - b).mean())
    assert 0.4 < found.low < found.high < 0.6
    assert found.p == pytest.approx(2 / 2001)
    swapped = statistics.difference_interval(b, a, groups)
    assert (swapped.value, swapped.low, swapped.high) == pytest.approx(
        (-found.value, -found.high, -found.low)
    )


def test_p_agrees_with_the_interval():
    for seed in range(30):
        values = np.random.default_rng(seed).normal(0.3, 1, 40)
        found = statistics.mean_interval(values, seed=seed, null=0.0)
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high) or 0.045 < found.p < 0.055


def test_few_clusters_cannot_give_a_small_p():
    """All of k on one side of 0 is no rarer than the sign test's 2 ** (1 - k)."""
    values = np.array([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7])
    for k in range(2, 9):
        found = statistics.mean_interval(values[:k], np.arange(k), 5000, null=0.0)
        assert found.p == pytest.approx(stats.binomtest(k, k).pvalue)
        same = statistics.cluster_bootstrap(values[:k], np.arange(k), np.mean, 500, null=0.0)
        assert same.p == pytest.approx(max(2 ** (1 - k), 2 / 501))


def test_infinite_values_make_the_mean_infinite():
    found = statistics.mean_interval([1, 2, 3, INF], resamples=400)
    assert found.value == INF
    assert found.high == INF
    assert np.isfinite(found.low)
    assert np.isnan(statistics.mean_interval([INF, -INF]).value)


def test_too_little_to_resample():
    assert np.isnan(statistics.mean_interval([]).value)
    assert np.isnan(statistics.mean_interval([NAN]).value)
    for found in (
        statistics.mean_interval([4.0]),
        statistics.mean_interval([3, 5], ["a", "a"]),
        statistics.cluster_bootstrap([3, 5], ["a", "a"], np.mean),
    ):
        assert found.value == 4
        assert np.isnan([found.low, found.high, found.p]).all()


def test_undefined_replicates():
    assert statistics.percentile_interval([1, 2, 3, NAN]) == pytest.approx((1.05, 2.95))
    assert np.isnan(statistics.percentile_interval([1, NAN, NAN])).all()
    assert statistics.bootstrap_p([-1, 1, 2, 3, NAN, NAN]) == pytest.approx(2 * 2 / 5)
    # No interpolation between a number and infinity: the next one outwards.
    assert statistics.percentile_interval([1, 2, 3, 4, INF], 0.5) == (2, 4)
    assert statistics.percentile_interval([1, 2, 3, 4, 5, INF], 0.5) == (2, 5)


def test_bad_input():
    frame = pd.DataFrame({"v": [1.0, 2]})
    with pytest.raises(SettingsError, match="groups: no column 'subject' in the frame"):
        statistics.cluster_bootstrap(frame, "subject", len)
    with pytest.raises(ShapeError, match="one per row"):
        statistics.cluster_bootstrap(frame, [1, 2, 3], len)
    with pytest.raises(SettingsError, match="missing"):
        statistics.cluster_weights(["a", None])
    with pytest.raises(SettingsError, match="resamples"):
        statistics.mean_interval([1, 2], resamples=0.5)
    with pytest.raises(SettingsError, match="infinite"):
        statistics.difference_interval([1, INF], [1, 2])


@pytest.mark.parametrize("statistic", [np.mean, stats.skew, lambda x: x.mean() / x.std(ddof=1)])
def test_bca_is_scipys_on_the_same_resamples(statistic):
    x = np.random.default_rng(0).gamma(2, size=25)
    found = stats.bootstrap(
        (x,),
        statistic,
        method="BCa",
        n_resamples=400,
        vectorized=False,
        rng=1,
        confidence_level=0.9,
    )
    without = [statistic(np.delete(x, i)) for i in range(len(x))]
    ends = statistics.bca_interval(statistic(x), found.bootstrap_distribution, without, 0.9)
    assert ends == pytest.approx(tuple(found.confidence_interval))


def test_bca_counts_replicates_that_equal_the_value_half():
    """But for rounding: as Efron's rule with ties in both counts, here without acceleration."""
    value, replicates = 3.0, np.array([1, 2, 3 - 1e-15, 3, 3 + 1e-15, 4, 5, 6, 7, 8])
    bias = stats.norm.ppf((2 + 3 / 2) / 10)
    ends = stats.norm.cdf(2 * bias + stats.norm.ppf([0.1, 0.9]))
    found = statistics.bca_interval(value, replicates, [1.0, 2.0, 3.0], 0.8)
    assert found == pytest.approx(np.quantile(replicates, ends))


def test_bca_is_undefined_where_resamples_show_nothing():
    some, without = [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0]
    assert np.isfinite(statistics.bca_interval(2.5, some, without)).all()
    for value, replicates, jackknife in (
        (1.0, [1.0] * 4, without),  # all the same
        (5.0, some, without),  # beyond all of them
        (2.5, [1.0, NAN, NAN, NAN], without),  # most of them undefined
        (2.5, some, [1.0, NAN]),
    ):
        assert np.isnan(statistics.bca_interval(value, replicates, jackknife)).all()


def test_draws_follow_what_is_resampled_and_not_names_or_order():
    rng = np.random.default_rng(3)
    groups = np.repeat([f"p{k}" for k in range(7)], 3)
    x, y, z = rng.normal(size=(3, 21)) + np.repeat(rng.normal(size=7), 3)
    names = dict(zip(dict.fromkeys(groups), rng.permutation(7), strict=True))
    order = rng.permutation(21)
    renamed = np.array([f"q{names[g]}" for g in groups])[order]
    for function, columns in (
        (statistics.mean_interval, [x]),
        (statistics.difference_interval, [x, y]),
        (statistics.pearson, [x, y]),
        (statistics.spearman, [x, y]),
    ):
        found = function(*columns, groups, 80)
        again = function(*(column[order] for column in columns), renamed, 80)
        assert (again.low, again.high) == pytest.approx((found.low, found.high), rel=1e-9)
        assert found.low < found.high
    found = statistics.variance_partition_table(x, y, z, groups, 80)
    again = statistics.variance_partition_table(x[order], y[order], z[order], renamed, 80)
    np.testing.assert_allclose(again["low"], found["low"], rtol=1e-7, atol=1e-12)


def test_the_order_of_draws_by_hand():
    """The mean is 3.6; about it the four clusters' values sum to -2.6, -2.2, -0.6 and 5.4."""
    codes, values = np.array([0, 1, 1, 2, 3]), np.array([1.0, 2, 3, 3, 9])
    assert bootstrap.by_content(codes, values).tolist() == [2, 1, 0, 3]
    assert bootstrap.by_content(codes, 7 - 2 * values[:, None]).tolist() == [2, 1, 0, 3]
    tied = bootstrap.by_content(np.array([0, 0, 1, 1, 2]), [0.0, 4, 1, 3, 2])
    assert tied.tolist() == [2, 1, 0]  # all sum to 0: by squares
    drawn = statistics.cluster_weights(list("abbcd"), 50, values=values).weights
    plain = statistics.cluster_weights(list("abbcd"), 50).weights
    np.testing.assert_array_equal(drawn[:, [2, 1, 0, 3]], plain)


def test_clusters_that_differ_in_pairs_alone_are_told_apart():
    """Nine clusters with the same x and y, of which some rise and some fall together."""
    signs = np.array([1, 1, -1, 1, -1, 1, 1, -1, 1])
    x, y = np.tile([-1.0, 1, 0], 9), np.outer(signs, [-1.0, 1, 0]).ravel()
    found = set()
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(9)
        rows = np.concatenate([np.arange(3) + 3 * k for k in order])
        estimate = statistics.pearson(x[rows], y[rows], np.repeat(np.arange(9), 3), 200)
        found.add((round(estimate.low, 9), round(estimate.high, 9), estimate.p))
    assert len(found) == 1
