"""Sums by subject: four implementations of r and R² beside each other."""

import numpy as np
import pandas as pd
import pytest

from paraspine import statistics
from paraspine.measures import paired
from paraspine.measures.noise_changes import _resampled
from paraspine.statistics import correlation, variance

NAN = np.nan


def by_correlation(x, y, groups, resamples):
    arrays = correlation._standard(x), correlation._standard(y)
    products = correlation._products(*arrays)
    draws = statistics.cluster_weights(groups, resamples)
    sums = statistics.bootstrap.cluster_sums(draws.codes, len(draws.labels), products)
    return correlation._from_sums(draws.weights @ sums)


def by_variance(x, y, groups, resamples, other=None):
    """Root of R² of y on x, or R² on x and the other."""
    products = variance._products({"y": y, "e": x, "a": x if other is None else other})
    draws = statistics.cluster_weights(groups, resamples)
    sums = statistics.bootstrap.cluster_sums(draws.codes, len(draws.labels), products.T)
    epistemic, _, joint, *_ = variance._fractions(draws.weights @ sums)
    return np.sqrt(epistemic) if other is None else joint


def by_paired(x, y, groups, resamples, other=None):
    columns = [y, x] if other is None else [y, x, other]
    count, _, spread = paired._moments(np.column_stack(columns), groups, resamples)
    if other is None:
        return paired._correlation(spread, 0, 1, count)[1:]
    return paired._share(spread, count, "joint")[1:]


def by_noise_changes(x, y, groups, resamples):
    cell = pd.DataFrame({"gt_entropy": x, "kind": y, "subject": groups})
    return _resampled(cell, "kind", resamples)


EVERY = (by_correlation, by_variance, by_paired, by_noise_changes)


def clustered(seed=0, subjects=7, slices=4):
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(subjects), slices)
    x, y, z = generator.normal(size=(3, len(groups))) + generator.normal(size=subjects)[groups]
    return x, y + 0.5 * x, z, groups


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_four_implementations_agree_on_ordinary_data(scale):
    x, y, z, groups = clustered()
    rows = statistics.cluster_weights(groups, 50).weights[:, groups]
    expected = [np.corrcoef(np.repeat(x, w), np.repeat(y, w))[0, 1] for w in rows]
    for way in EVERY:
        found = way(5 + scale * x, y, groups, 50)
        wanted = np.abs(expected) if way is by_variance else expected
        assert found == pytest.approx(np.array(wanted), abs=1e-6), way.__name__
    joint = by_variance(x, y, groups, 50, z)
    assert by_paired(x, y, groups, 50, z) == pytest.approx(joint)


def defined(way, x, y, groups):
    return ~np.isnan(way(np.asarray(x, float), np.asarray(y, float), groups, 200))


def test_what_each_does_at_the_edge():
    """In a resample x is constant, nearly so, or there are hardly any images."""
    groups = np.repeat(np.arange(4), 2)
    y = np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
    drawn = statistics.cluster_weights(groups, 200).weights
    # Only subject 0 differs in x: resamples without it are undefined, by all but variance,
    # where a constant predictor explains 0.
    constant = drawn[:, 0] == 0
    x = np.array([1.0, 2, 0, 0, 0, 0, 0, 0])
    for way in (by_correlation, by_paired, by_noise_changes):
        assert (defined(way, x, y, groups) == ~constant).all()
    assert (by_variance(x, y, groups, 200)[constant] == 0).all()
    # The others differ by the share `step` of it: three lose them below about 1e-6, the fourth,
    # which looks at the product of two standard deviations, below about 1e-9.
    several = constant & (drawn.max(axis=1) < 4)
    for step, known in ((1e-5, True), (1e-7, False)):
        near = x + step * np.array([0, 0, 1, 0, 0, 1, 1, 0])
        for way in (by_correlation, by_paired):
            assert (defined(way, near, y, groups)[several] == known).all()
        r = np.nan_to_num(by_correlation(near, y, groups, 200)[several])
        assert by_variance(near, y, groups, 200)[several] == pytest.approx(np.abs(r), abs=1e-6)
        assert defined(by_noise_changes, near, y, groups)[several].all()
    # n: 3 images for r, 4 for R².
    three = np.array([1.0, 2, 4]), np.array([1.0, 3, 2]), np.array([0, 1, 2])
    for way in (by_correlation, by_paired, by_noise_changes):
        assert defined(way, *three).any()
    assert not defined(by_variance, *three).any()
