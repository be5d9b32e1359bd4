"""Variance partitioning against scikit-learn and statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from paraspine import statistics
from paraspine.arrays import SettingsError, ShapeError


def data(seed=0, n=60):
    generator = np.random.default_rng(seed)
    e, common = generator.normal(size=(2, n))
    a = 0.7 * common + generator.normal(size=n)
    return 0.5 * e + 0.4 * a + common + generator.normal(size=n), e + common, a


def test_against_scikit_learn_and_statsmodels():
    y, e, a = data()
    found = statistics.variance_partition(y, e, a)

    def r2(*predictors):
        x = np.column_stack(predictors)
        assert LinearRegression().fit(x, y).score(x, y) == pytest.approx(
            sm.OLS(y, sm.add_constant(x)).fit().rsquared
        )
        return LinearRegression().fit(x, y).score(x, y)

    assert found.epistemic == pytest.approx(r2(e))
    assert found.aleatoric == pytest.approx(r2(a))
    assert found.joint == pytest.approx(r2(e, a))
    assert found.unique_epistemic == pytest.approx(r2(e, a) - r2(a))
    assert found.unique_aleatoric == pytest.approx(r2(e, a) - r2(e))
    assert found.shared == pytest.approx(r2(e) + r2(a) - r2(e, a))


def test_one_predictor_is_the_square_of_pearson():
    y, e, a = data(1)
    found = statistics.variance_partition(y, e, a)
    assert found.epistemic == pytest.approx(statistics.pearson(y, e, resamples=2).value ** 2)


def test_by_hand():
    e, a = np.array([1.0, 1, -1, -1]), np.array([1.0, -1, 1, -1])  # independent of each other
    found = statistics.variance_partition(3 * e + a, e, a)
    assert found.epistemic == pytest.approx(0.9)
    assert found.aleatoric == pytest.approx(0.1)
    assert found.joint == pytest.approx(1)
    assert found.shared == pytest.approx(0, abs=1e-12)


def test_suppression_makes_the_shared_part_negative():
    generator = np.random.default_rng(2)
    y, noise = generator.normal(size=(2, 200))
    found = statistics.variance_partition(y, y + noise, noise)
    assert found.joint == pytest.approx(1)
    assert found.shared < -0.3


def test_constant_and_collinear_predictors():
    y, e, _ = data(3)
    constant = statistics.variance_partition(y, e, np.full(len(y), 0.1 + 0.2))
    assert constant.aleatoric == 0
    assert constant.joint == pytest.approx(constant.epistemic)
    twice = statistics.variance_partition(y, e, 5 - 2 * e)
    assert twice.joint == pytest.approx(twice.epistemic)
    assert twice.unique_epistemic == pytest.approx(0)
    assert twice.shared == pytest.approx(twice.epistemic)


def test_undefined():
    for found in (
        statistics.variance_partition([1, 1, 1, 1], [1, 2, 3, 4], [4, 1, 2, 3]),
        statistics.variance_partition([1, 2, 3], [1, 2, 1], [3, 1, 2]),
        statistics.variance_partition([], [], []),
    ):
        assert np.isnan([found.joint, found.shared, found.epistemic]).all()


def test_nan_entries_are_left_out():
    y, e, a = data(4)
    more = [np.append(v, x) for v, x in ((y, np.nan), (e, 1.0), (a, 1.0))]
    assert statistics.variance_partition(*more) == statistics.variance_partition(y, e, a)


def test_table_equals_a_plain_loop():
    y, e, a = data(5, 40)
    groups = np.repeat(np.arange(8), 5)
    table = statistics.variance_partition_table(y, e, a, groups, 100, 7)
    point = statistics.variance_partition(y, e, a)
    assert table["part"].tolist() == list(vars(point))
    assert table["value"].tolist() == pytest.approx(list(vars(point).values()))
    draws = statistics.cluster_weights(groups, 100, 7, values=np.stack([y, e, a], axis=1))
    replicates = []
    for weights in draws.weights:
        rows = np.repeat(np.arange(40), weights[groups])
        replicates.append(
            list(vars(statistics.variance_partition(y[rows], e[rows], a[rows])).values())
        )
    low, high = np.quantile(replicates, [0.025, 0.975], axis=0)
    assert table["low"].to_numpy() == pytest.approx(low)
    assert table["high"].to_numpy() == pytest.approx(high)


def test_table_with_one_subject_has_no_interval():
    y, e, a = data(6, 10)
    table = statistics.variance_partition_table(y, e, a, ["s"] * 10)
    assert table["value"].notna().all()
    assert table[["low", "high"]].isna().all(axis=None)


def test_bad_input():
    with pytest.raises(ShapeError):
        statistics.variance_partition([1, 2], [1], [1, 2])
    with pytest.raises(SettingsError, match="epistemic: holds 1 infinite"):
        statistics.variance_partition([1, 2], [1, np.inf], [1, 2])


@given(st.integers(0, 100_000), st.integers(4, 30))
@settings(deadline=None, max_examples=60)
def test_properties(seed, n):
    y, e, a = np.random.default_rng(seed).normal(size=(3, n))
    found = statistics.variance_partition(y, e, a)
    assert 0 <= max(found.epistemic, found.aleatoric) <= found.joint <= 1
    total = found.unique_epistemic + found.unique_aleatoric + found.shared
    assert total == pytest.approx(found.joint)
    x = np.column_stack([e, a])
    assert found.joint == pytest.approx(LinearRegression().fit(x, y).score(x, y), abs=1e-8)
