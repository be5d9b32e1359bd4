"""Correlations and their cluster-bootstrap intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from paraspine import statistics
from paraspine.arrays import SettingsError, ShapeError

NAN = np.nan


def clustered(seed=0, subjects=24, slices=6, shared=1.0):
    """Images of subjects who differ: x and y agree between subjects, less within."""
    generator = np.random.default_rng(seed)
    groups = np.repeat([f"sub-{s:02d}" for s in range(subjects)], slices)
    subject = shared * np.repeat(generator.normal(size=subjects), slices)
    x = subject + generator.normal(size=len(groups))
    return x, 0.6 * subject + generator.normal(size=len(groups)), groups


def undefined(estimate):
    return all(np.isnan([estimate.value, estimate.low, estimate.high, estimate.p]))


def test_pearson_by_hand():
    found = statistics.pearson([1, 2, 3], [1, 3, 2])
    assert found.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("ours", "scipy"),
    [(statistics.pearson, stats.pearsonr), (statistics.spearman, stats.spearmanr)],
)
def test_value_and_p_against_scipy(ours, scipy):
    x, y, _ = clustered()
    x = np.round(x, 1)  # ties
    found, expected = ours(x, y, resamples=50), scipy(x, y)
    assert found.value == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)


@pytest.mark.parametrize(
    ("ours", "scipy"),
    [(statistics.pearson, stats.pearsonr), (statistics.spearman, stats.spearmanr)],
)
def test_interval_equals_a_plain_loop_over_resampled_subjects(ours, scipy):
    x, y, groups = clustered(1, subjects=9, slices=4)
    x, y = np.round(x, 1), np.round(y, 1)
    found = ours(x, y, groups, resamples=200, seed=3)
    draws = statistics.cluster_weights(groups, 200, 3, values=np.stack([x, y], axis=1))
    rows = [np.flatnonzero(groups == name) for name in draws.labels]
    replicates = []
    for weights in draws.weights:
        chosen = np.concatenate([rows[g] for g, w in enumerate(weights) for _ in range(w)])
        replicates.append(scipy(x[chosen], y[chosen]).statistic)
    low, high = np.quantile(replicates, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high))
    below, above = (np.array(replicates) <= 0).sum(), (np.array(replicates) >= 0).sum()
    assert found.p == pytest.approx(min(1, 2 * (min(below, above) + 1) / 201))


def test_interval_by_image_against_scipy_bootstrap():
    x, y, _ = clustered(2)
    found = statistics.pearson(x, y, resamples=8000)
    other = stats.bootstrap(
        (x, y),
        lambda a, b: stats.pearsonr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.025)


def test_subjects_make_the_interval_wider_than_images():
    x, y, groups = clustered(3, shared=2.0)
    by_image, by_subject = statistics.pearson(x, y), statistics.pearson(x, y, groups)
    assert by_image.value == by_subject.value
    assert by_subject.high - by_subject.low > 1.2 * (by_image.high - by_image.low)


def test_interval_covers():
    # 40 subjects x 4 slices whose true correlation is 0.5: a 90 % interval holds it about 90 %.
    hits = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        subject = np.repeat(generator.normal(size=(40, 1)), 4, axis=0)[:, 0]
        x, y = (subject + generator.normal(size=160) for _ in range(2))
        found = statistics.pearson(x, y, np.repeat(np.arange(40), 4), 400, seed, confidence=0.9)
        hits += found.low <= 0.5 <= found.high
    assert 0.82 <= hits / 200 <= 0.97


def test_seed_decides():
    x, y, groups = clustered(4)
    first = statistics.pearson(x, y, groups, resamples=100, seed=1)
    np.random.default_rng(0).random(5)
    assert statistics.pearson(x, y, groups, resamples=100, seed=1) == first
    assert statistics.pearson(x, y, groups, resamples=100, seed=2) != first


@pytest.mark.parametrize("correlate", [statistics.pearson, statistics.spearman])
def test_undefined_is_nan_without_a_warning(correlate):
    assert undefined(correlate([1, 1, 1, 1], [1, 2, 3, 4]))
    assert undefined(correlate([1, 2, 3, 4], [0.1 + 0.2] * 2 + [0.3] * 2))
    assert undefined(correlate([1, 2], [3, 4]))
    assert undefined(correlate([], []))
    assert undefined(correlate([1, 2, NAN, NAN], [1, 2, 3, 4], ["a", "b", "c", "d"]))
    one_subject = correlate([1, 2, 3, 4], [1, 2, 3, 5], ["a"] * 4)
    assert one_subject.value > 0.9
    assert np.isnan([one_subject.low, one_subject.high, one_subject.p]).all()


def test_nan_pairs_are_left_out():
    x, y, groups = clustered(5)
    with_gaps = np.append(x, [NAN, 3.0]), np.append(y, [1.0, NAN]), np.append(groups, ["z", "z"])
    assert statistics.pearson(*with_gaps) == statistics.pearson(x, y, groups)


def test_large_offsets_lose_no_digits():
    x, y, groups = clustered(6)
    plain = statistics.pearson(x, y, groups, resamples=100)
    moved = statistics.pearson(1e6 + x, 1e-3 * y - 5e2, groups, resamples=100)
    assert (moved.value, moved.low, moved.high) == pytest.approx(
        (plain.value, plain.low, plain.high), abs=1e-7
    )


def test_bad_input():
    with pytest.raises(ShapeError, match="same length"):
        statistics.pearson([1, 2, 3], [1, 2])
    with pytest.raises(ShapeError, match="same length"):
        statistics.pearson([1, 2, 3], [1, 2, 3], ["a", "b"])
    with pytest.raises(SettingsError, match="x: holds 1 infinite"):
        statistics.pearson([1, np.inf, 3], [1, 2, 3])
    with pytest.raises(SettingsError, match="y: expected numbers"):
        statistics.pearson([1, 2, 3], ["a", "b", "c"])
    with pytest.raises(SettingsError, match="missing"):
        statistics.pearson([1, 2, 3], [1, 2, 3], ["a", None, "b"])
    with pytest.raises(SettingsError, match="resamples"):
        statistics.pearson([1, 2, 3], [1, 2, 3], resamples=0)
    with pytest.raises(SettingsError, match="confidence"):
        statistics.spearman([1, 2, 3], [1, 2, 3], confidence=95)


@given(st.integers(0, 10_000), st.integers(3, 40))
@settings(deadline=None, max_examples=40)
def test_properties(seed, n):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(2, n))
    groups = generator.integers(0, 6, n)
    found = statistics.pearson(x, y, groups, resamples=60)
    assert -1 <= found.value <= 1
    assert np.isnan(found.low) or found.low <= found.high
    assert statistics.pearson(y, x, groups, resamples=60).value == pytest.approx(found.value)
    turned = statistics.pearson(-2 * x + 1, y, groups, resamples=60)
    assert turned.value == pytest.approx(-found.value)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), nan_ok=True)
    ranks = statistics.spearman(np.exp(x), y, resamples=20)
    assert ranks.value == pytest.approx(statistics.spearman(x, y, resamples=20).value)
