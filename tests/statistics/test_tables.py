"""Tidy tables: each cell equals the function it is made of."""

import numpy as np
import pandas as pd
import pytest

from paraspine import statistics
from paraspine.arrays import SettingsError

NAN, INF = np.nan, np.inf


@pytest.fixture
def frame():
    generator = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [[f"s{i}" for i in range(8)], range(3), ["unet", "transunet"], ["MF", "ES"]],
        names=["subject", "slice", "model", "class"],
    )
    frame = index.to_frame(index=False)
    subject = frame["subject"].map({f"s{i}": v for i, v in enumerate(generator.normal(size=8))})
    return frame.assign(
        value=subject + generator.normal(size=len(frame)),
        other=subject + generator.normal(size=len(frame)),
    )


def test_mean_table(frame):
    frame.loc[0, "value"] = NAN
    table = statistics.mean_table(frame, by=["model", "class"], resamples=100, seed=4)
    assert table[["model", "class"]].to_numpy().tolist() == [
        ["unet", "MF"],
        ["unet", "ES"],
        ["transunet", "MF"],
        ["transunet", "ES"],
    ]
    first = frame[(frame["model"] == "unet") & (frame["class"] == "MF")]
    row = table.iloc[0]
    expected = statistics.mean_interval(first["value"], first["subject"], 100, 4)
    assert (row["mean"], row["low"], row["high"]) == (expected.value, expected.low, expected.high)
    assert (row["n"], row["undefined"], row["infinite"], row["clusters"]) == (23, 1, 0, 8)
    assert row["sd"] == pytest.approx(first["value"].std())
    assert row["median"] == pytest.approx(first["value"].median())


def test_mean_table_of_everything_and_of_nothing(frame):
    whole = statistics.mean_table(frame, groups=None, resamples=50)
    assert (len(whole), whole["n"][0], whole["clusters"][0]) == (1, 96, 96)
    undefined = statistics.mean_table(frame.assign(value=NAN), by="model", resamples=50)
    assert undefined["undefined"].tolist() == [48, 48]
    assert undefined[["mean", "sd", "median", "low", "high"]].isna().all(axis=None)
    frame.loc[0, "value"] = INF
    infinite = statistics.mean_table(frame, resamples=50)
    assert (infinite["infinite"][0], infinite["mean"][0]) == (1, INF)
    assert np.isfinite(infinite["median"][0])


def test_correlation_table(frame):
    frame.loc[3, "other"] = NAN
    table = statistics.correlation_table(frame, "value", "other", "model", resamples=100, seed=2)
    for row in table.itertuples():
        cell = frame[frame["model"] == row.model]
        expected = statistics.pearson(cell["value"], cell["other"], cell["subject"], 100, 2)
        assert (row.r, row.low, row.high, row.p) == (
            expected.value,
            expected.low,
            expected.high,
            expected.p,
        )
        assert (row.n, row.clusters) == (cell["other"].notna().sum(), 8)
    assert table["p_holm"].to_numpy() == pytest.approx(statistics.holm(table["p"]))
    ranks = statistics.correlation_table(
        frame, "value", "other", groups=None, method="spearman", resamples=20
    )
    assert ranks["r"][0] == statistics.spearman(frame["value"], frame["other"], resamples=2).value


def test_difference_table(frame):
    table = statistics.difference_table(
        frame, "value", "model", ["subject", "slice"], by="class", resamples=200
    )
    wide = frame.pivot(index=["class", "subject", "slice"], columns="model", values="value")
    for row in table.itertuples():
        a, b = wide.loc[row[1], "unet"], wide.loc[row[1], "transunet"]
        subjects = a.index.get_level_values("subject")
        expected = statistics.difference_interval(a, b, subjects, 200)
        assert (row.difference, row.low, row.high, row.p) == pytest.approx(
            (expected.value, expected.low, expected.high, expected.p)
        )
        assert (row.n, row.clusters, row.dropped) == (24, 8, 0)
    by_pair = statistics.difference_table(
        frame, "value", "model", ["subject", "slice"], by="class", groups=None, resamples=50
    )
    assert by_pair["clusters"].tolist() == [24, 24]


def test_bad_frames(frame):
    with pytest.raises(SettingsError, match="groups: no column 'patient'"):
        statistics.mean_table(frame, groups="patient")
    with pytest.raises(SettingsError, match="by: no column 'muscle'"):
        statistics.correlation_table(frame, "value", "other", "muscle")
    with pytest.raises(SettingsError, match="'pearson' or 'spearman'"):
        statistics.correlation_table(frame, "value", "other", method="kendall")
    with pytest.raises(SettingsError, match="occurs more than once"):
        statistics.difference_table(frame, "value", "model", ["subject", "slice"])
    with pytest.raises(SettingsError, match="missing values"):
        statistics.mean_table(frame.assign(model=None), by="model")
