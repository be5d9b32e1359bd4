"""ICC(2,1) against pingouin, Bland-Altman by hand and against statsmodels."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from paraspine import statistics
from paraspine.arrays import SettingsError, ShapeError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pingouin

NAN = np.nan

# Shrout and Fleiss 1979, table 2: six targets, four judges.
SHROUT = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)


def ratings(seed, n=20, k=3, bias=0.5, noise=0.5):
    generator = np.random.default_rng(seed)
    return (
        generator.normal(size=(n, 1))
        + bias * generator.normal(size=k)
        + noise * generator.normal(size=(n, k))
    )


def with_pingouin(values):
    n, k = values.shape
    frame = pd.DataFrame(
        {
            "target": np.repeat(np.arange(n), k),
            "rater": np.tile(np.arange(k), n),
            "value": values.ravel(),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = pingouin.intraclass_corr(
            frame, targets="target", raters="rater", ratings="value"
        ).set_index("Type")
    return table.loc["ICC(A,1)"]


def test_icc_interval_that_misses_its_value_is_undefined():
    found = statistics.icc21(ratings(106, n=2, k=5))
    assert found.value == pytest.approx(-0.0157, abs=1e-4)
    assert np.isnan([found.low, found.high]).all()
    assert 0 <= found.p <= 1


def test_icc_of_shrout_and_fleiss():
    found = statistics.icc21(SHROUT)
    assert found.value == pytest.approx(0.29, abs=0.005)  # their table 4
    assert found.low == pytest.approx(0.019, abs=0.001)  # McGraw and Wong 1996
    assert found.high == pytest.approx(0.761, abs=0.001)


@pytest.mark.parametrize("seed", range(5))
def test_icc_against_pingouin(seed):
    values = ratings(seed, n=8 + 7 * seed, k=2 + seed % 3, bias=0.3 * seed)
    found, other = statistics.icc21(values), with_pingouin(values)
    assert found.value == pytest.approx(other["ICC"], rel=1e-6)
    assert [found.low, found.high] == pytest.approx(list(other["CI95"]), abs=0.0051)
    assert found.p == pytest.approx(other["pval"], rel=1e-5)


def test_icc_punishes_bias():
    values = ratings(0, bias=0)
    biased = values + np.array([0, 5, 0])
    assert statistics.icc21(biased).value < 0.5 * statistics.icc21(values).value


def test_icc_without_anything_to_tell_apart():
    perfect = statistics.icc21(np.repeat(np.arange(5.0)[:, None], 3, axis=1))
    assert (perfect.value, perfect.low, perfect.high) == (1, 1, 1)
    for values in ([[1, 2]], [[1], [2]], np.full((4, 3), 0.3), np.empty((0, 2))):
        assert np.isnan(statistics.icc21(values).value)
    shifted = statistics.icc21(np.arange(5.0)[:, None] + [0, 1])
    assert shifted.value == pytest.approx(2.5 / (2.5 + 0.5))


def test_icc_leaves_out_rows_with_nan():
    values = ratings(1)
    more = np.vstack([values, [[NAN, 1, 2]]])
    assert statistics.icc21(more) == statistics.icc21(values)


def test_icc_bad_input():
    with pytest.raises(ShapeError, match="things, raters"):
        statistics.icc21([1, 2, 3])
    with pytest.raises(SettingsError, match="infinite"):
        statistics.icc21([[1, np.inf], [1, 2]])


def test_bland_altman_by_hand():
    found = statistics.bland_altman([1, 2, 3, 4, NAN], [0, 2, 1, 3, 1])
    assert (found.bias, found.n) == (1, 4)
    sd = np.sqrt(2 / 3)
    assert found.sd == pytest.approx(sd)
    assert found.low == pytest.approx(1 - 1.959964 * sd)
    assert found.high == pytest.approx(1 + 1.959964 * sd)
    half = stats.t.ppf(0.975, 3) * sd / 2
    assert found.bias_interval == pytest.approx((1 - half, 1 + half))
    wide = stats.t.ppf(0.975, 3) * sd * np.sqrt(1 / 4 + 1.959964**2 / 6)
    assert found.high_interval == pytest.approx((found.high - wide, found.high + wide))
    assert found.low_interval == pytest.approx((found.low - wide, found.low + wide))


def test_bland_altman_against_statsmodels():
    a, b = ratings(3, n=50, k=2).T
    found = statistics.bland_altman(a, b)
    tested = sm.stats.DescrStatsW(a - b)
    assert found.bias == pytest.approx(tested.mean)
    assert found.bias_interval == pytest.approx(tested.tconfint_mean())


def test_bland_altman_too_few():
    assert np.isnan(statistics.bland_altman([], []).bias)
    one = statistics.bland_altman([3], [1])
    assert one.bias == 2
    assert np.isnan([one.low, one.high]).all()
    with pytest.raises(ShapeError):
        statistics.bland_altman([1, 2], [1])


@given(st.integers(0, 100_000), st.integers(2, 12), st.integers(2, 5))
@settings(deadline=None, max_examples=60)
def test_properties(seed, n, k):
    values = ratings(seed, n, k)
    found = statistics.icc21(values)
    assert found.value <= 1
    assert np.isfinite(found.value)
    if np.isnan(found.low):
        assert np.isnan(found.high)
    else:
        assert found.low <= found.value <= found.high
    moved = statistics.icc21(100 + 3 * values[::-1, ::-1])
    assert (moved.value, moved.low, moved.high) == pytest.approx(
        (found.value, found.low, found.high), rel=1e-6, abs=1e-9, nan_ok=True
    )
    first, second = values[:, 0], values[:, 1]
    forth, back = statistics.bland_altman(first, second), statistics.bland_altman(second, first)
    assert (forth.bias, forth.low) == pytest.approx((-back.bias, -back.high))
