"""Statistics made of sums by subject: each resample against plain NumPy on the rows drawn."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from paraspine import statistics
from paraspine.arrays import SettingsError
from paraspine.statistics import sums

NAN, INF = np.nan, np.inf


def clustered(seed=0, subjects=7, slices=4):
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(subjects), slices)
    x, y, z = generator.normal(size=(3, len(groups))) + generator.normal(size=subjects)[groups]
    return x, y + 0.5 * x, z, groups


def drawn_rows(draws):
    """All rows, then those of each resample."""
    every = np.arange(len(draws.codes))
    return [every, *(np.repeat(every, weights[draws.codes]) for weights in draws.weights)]


def test_means_ratios_and_correlations_are_those_of_the_rows_drawn():
    x, y, z, groups = clustered()
    x[[1, 5]], z[9] = NAN, NAN
    draws = statistics.cluster_weights(groups, 40, 3)
    rows = drawn_rows(draws)
    assert sums.mean(draws, x) == pytest.approx([np.nanmean(x[r]) for r in rows])
    top, bottom = x + 4, z + 6
    both = ~np.isnan(top + bottom)
    kept = [r[both[r]] for r in rows]
    expected = [top[r].sum() / bottom[r].sum() for r in kept]
    assert sums.ratio(draws, top, bottom) == pytest.approx(expected)
    for scale in (1.0, 1e-6, 1e6):  # and offsets that would lose digits
        found = sums.moments(draws, np.stack([5 + scale * x, y, z / scale], axis=1))
        assert found.count.tolist() == [len(r) for r in kept]
        assert found.mean[:, 1] == pytest.approx([y[r].mean() for r in kept])
        assert found.covariance[:, 1, 2] == pytest.approx(
            [np.cov(y[r], z[r] / scale, ddof=0)[0, 1] for r in kept], abs=1e-9 / scale
        )
        for i, j, a, b in ((0, 1, x, y), (2, 0, z, x)):
            expected = [np.corrcoef(a[r], b[r])[0, 1] for r in kept]
            assert sums.correlation(found, i, j) == pytest.approx(np.array(expected), abs=1e-8)
    found = sums.moments(draws, np.stack([y, x, z], axis=1))
    for columns in ((1,), (2,), (1, 2)):
        predictors = np.stack([y, x, z], axis=1)[:, columns]
        fits = [
            LinearRegression().fit(predictors[r], y[r]).score(predictors[r], y[r]) for r in kept
        ]
        assert sums.r_squared(found, 0, *columns) == pytest.approx(fits)


def test_calibration_error_is_that_of_the_voxels_drawn():
    """Rows of several images and bins; of each resample the bins are pooled."""
    generator = np.random.default_rng(2)
    bins = np.tile(np.arange(4), 10)
    count = generator.integers(0, 20, 40)
    confidence, correct = count * (bins + generator.random(40)) / 4, generator.binomial(count, 0.6)
    draws = statistics.cluster_weights(np.repeat(np.arange(5), 8), 30)
    ece, over, under = sums.ece(draws, bins, count, confidence, correct)
    for b, rows in enumerate(drawn_rows(draws)):
        gaps = [(confidence - correct)[rows][bins[rows] == k].sum() for k in range(4)]
        expected = np.array(gaps) / count[rows].sum()
        assert ece[b] == pytest.approx(np.abs(expected).sum())
        assert over[b] == pytest.approx(expected[expected > 0].sum())
        assert under[b] == pytest.approx(-expected[expected < 0].sum())
    nothing = np.zeros(2)
    draws = statistics.cluster_weights(["a", "b"], 5)
    assert np.isnan(sums.ece(draws, [0, 1], nothing, nothing, nothing)).all()


def test_two_means_of_other_images_share_their_draws():
    """Subjects lift both alike, so that their difference varies far less than either."""
    level = np.repeat(10.0 * np.arange(6), 4)
    first = np.tile([True, True, False, False], 6)
    values = level + first * 1.0
    draws = statistics.cluster_weights(np.repeat(list("abcdef"), 4), 300)
    one, other = (sums.mean(draws, np.where(side, values, NAN)) for side in (first, ~first))
    found = sums.estimate(one - other)
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1))
    alone = sums.estimate(one, confidence=0.5, null=20.0, clusters=6)
    assert (alone.low, alone.high) == tuple(np.quantile(one[1:], [0.25, 0.75]))
    assert alone.p == statistics.bootstrap_p(one[1:], 20.0, 6)


def test_what_is_constant_or_too_little_is_undefined():
    groups = np.repeat(np.arange(4), 2)
    draws = statistics.cluster_weights(groups, 200)
    y = np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
    x = np.array([1.0, 2, 0, 0, 0, 0, 0, 0])  # resamples without subject 0 are constant
    constant = np.append(False, draws.weights[:, 0] == 0)
    found = sums.moments(draws, np.stack([y, x], axis=1))
    assert (np.isnan(sums.correlation(found)) == constant).all()
    assert (sums.r_squared(found, 0, 1)[constant] == 0).all()
    assert (np.isnan(sums.r_squared(found, 1, 0)) == constant).all()
    several = constant & np.append(False, draws.weights.max(axis=1) < 4)
    for step, known in ((1e-5, True), (1e-15, False)):  # 1e-15 is rounding
        near = 1 + x + step * np.array([0, 0, 1, 0, 0, 1, 1, 0])
        found = sums.moments(draws, np.stack([y, near], axis=1))
        assert (np.isfinite(sums.correlation(found))[several] == known).all()
    for images, r, share in ((2, NAN, NAN), (3, 0.5, NAN), (4, 0.8, 0.64)):
        pair = np.stack([[1.0, 3, 2, 4], [1.0, 2, 3, 4]], axis=1)[:images]
        found = sums.moments(statistics.cluster_weights(np.arange(images), 5), pair)
        assert sums.correlation(found)[0] == pytest.approx(r, nan_ok=True)
        assert sums.r_squared(found, 0, 1)[0] == pytest.approx(share, nan_ok=True)
    alone = sums.moments(statistics.cluster_weights(["a"] * 8, 5), np.stack([y, x + y], axis=1))
    assert np.isfinite(sums.correlation(alone)).tolist() == [True] + [False] * 5
    empty = statistics.cluster_weights([], 5)
    assert np.isnan(sums.correlation(sums.moments(empty, np.zeros((0, 2))))).all()
    assert np.isnan(sums.mean(empty, [])).all()
    assert np.isnan(sums.ratio(draws, x, -y)).all()


def test_infinite_values_make_a_mean_infinite_where_they_are_drawn():
    draws = statistics.cluster_weights(list("abc"), 100)
    a, _, c = (draws.weights > 0).T
    found = sums.mean(draws, [INF, 2.0, -INF])[1:]
    assert (found[a & ~c] == INF).all()
    assert (found[c & ~a] == -INF).all()
    assert np.isnan(found[a & c]).all()
    assert (found[~a & ~c] == 2).all()


def test_defaults_hold_where_a_call_gives_nothing_else():
    x, y, z, groups = clustered(4)
    ours = {"resamples": 50, "confidence": 0.8, "seed": 7}
    calls = (
        lambda **o: statistics.pearson(x, y, groups, **o),
        lambda **o: statistics.spearman(x, y, **o),
        lambda **o: statistics.mean_interval(x, groups, **o),
        lambda **o: statistics.variance_partition_table(y, x, z, groups, **o)["low"].tolist(),
        lambda **o: statistics.cluster_bootstrap(x, groups, np.mean, **o),
    )
    published = [call() for call in calls]
    expected = [call(**ours) for call in calls]
    with statistics.set_defaults(**ours):
        assert [call() for call in calls] == expected
        assert [call(resamples=2000, confidence=0.95, seed=0) for call in calls] == published
        assert statistics.percentile_interval(range(11)) == pytest.approx((1, 9))
        assert (
            statistics.bland_altman(x, y).high == statistics.bland_altman(x, y, confidence=0.8).high
        )
        assert f"{statistics.Estimate(1, 0, 2):.0f}" == "1 (80 % CI 0 to 2)"
    assert [call() for call in calls] == published
    with pytest.raises(SettingsError, match="confidence: expected a number between 0 and 1, got 9"):
        statistics.set_defaults(seed=3, confidence=9)
    assert statistics.defaults == statistics.Defaults()


def test_one_huge_value_leaves_the_others_correlation():
    """Resamples without it are those of the others by themselves."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(6), 5)
    x = 1e-8 * rng.normal(size=30)
    y = x + 1e-8 * rng.normal(size=30)
    x[0] = 1.0
    draws = statistics.cluster_weights(groups, 300)
    drawn = sums.correlation(sums.moments(draws, np.stack([x, y], axis=1)))
    assert np.isfinite(drawn).all()
    for b in np.flatnonzero(draws.weights[:, 0] == 0)[:20]:
        rows = np.repeat(np.arange(30), draws.weights[b][groups])
        assert drawn[1 + b] == pytest.approx(np.corrcoef(x[rows], y[rows])[0, 1], abs=1e-6)


def test_shares_of_predictors_that_are_almost_one_line():
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(2, 60))
    draws = statistics.cluster_weights(np.repeat(np.arange(12), 5), 50)
    for step in (1e-2, 1e-6, 1e-9):
        one, other, joint = sums.shares(draws, np.stack([y, x, x + step * y], axis=1))
        assert one[0] == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
        assert other[0] == pytest.approx(np.corrcoef(y, x + step * y)[0, 1] ** 2)
        assert joint == pytest.approx(np.ones(51), abs=1e-4)
    same = sums.shares(draws, np.stack([y, x, 3 * x - 1], axis=1))
    assert same[2] == pytest.approx(same[0])
