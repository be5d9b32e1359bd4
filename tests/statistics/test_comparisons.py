"""Paired tests, Holm's adjustment and repeated-measures ANOVA."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.multitest import multipletests

from paraspine import statistics
from paraspine.arrays import SettingsError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pingouin

NAN = np.nan


def measures(seed=0, subjects=12, slices=3):
    """A tidy frame: 3 models on slices of subjects, 2 classes."""
    generator = np.random.default_rng(seed)
    rows = []
    for subject in range(subjects):
        level = generator.normal(0.9, 0.02)
        for number in range(slices):
            image = generator.normal(0, 0.01)
            for c in ("MF", "ES"):
                for model, gain in (("unet", 0), ("transunet", 0.008), ("random", 0.002)):
                    rows.append(
                        {
                            "subject": f"s{subject}",
                            "image": f"s{subject}-{number}",
                            "class": c,
                            "model": model,
                            "value": level + image + gain + generator.normal(0, 0.008),
                        }
                    )
    return pd.DataFrame(rows)


def factorial(seed=0, subjects=10, levels=(2, 3, 2)):
    generator = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [
            range(subjects),
            *[[f"{n}{i}" for i in range(k)] for n, k in zip("abc", levels, strict=False)],
        ],
        names=["subject", *"abc"[: len(levels)]],
    )
    frame = index.to_frame(index=False)
    effect = (frame["a"] == "a1") * 0.6 + frame["subject"].map(
        dict(enumerate(generator.normal(size=subjects)))
    )
    return frame.assign(value=effect + generator.normal(size=len(frame)))


def test_holm_by_hand():
    """Times 4, 3, 2, 1 in order of size, never below the one before, at most 1; NaN aside."""
    found = statistics.holm([[0.01, NAN, 0.04], [0.03, 0.5, NAN]])
    assert found == pytest.approx(np.array([[0.04, NAN, 0.09], [0.09, 0.5, NAN]]), nan_ok=True)
    assert statistics.holm([0.6, 0.0, 0.7]).tolist() == [1, 0, 1]
    assert statistics.holm([NAN]).tolist() == pytest.approx([NAN], nan_ok=True)
    assert statistics.holm([]).tolist() == []
    for wrong in (1.2, -0.1):
        with pytest.raises(SettingsError, match="0 to 1"):
            statistics.holm([0.5, wrong])


def test_t_against_scipy_and_pingouin():
    frame = measures()
    table = statistics.paired_test(frame, "value", "model", "image", by="class")
    assert table[["a", "b"]].drop_duplicates().to_numpy().tolist() == [
        ["unet", "transunet"],
        ["unet", "random"],
        ["transunet", "random"],
    ]
    assert len(table) == 6
    wide = frame.pivot(index=["class", "image"], columns="model", values="value")
    for row in table.itertuples():
        a, b = wide.loc[row[1], row.a], wide.loc[row[1], row.b]
        test = stats.ttest_rel(a, b)
        assert (row.statistic, row.p, row.df) == pytest.approx((test.statistic, test.pvalue, 35))
        interval = test.confidence_interval()
        assert (row.low, row.high) == pytest.approx((interval.low, interval.high))
        assert (row.mean_a, row.mean_b) == pytest.approx((a.mean(), b.mean()))
        d_z = pingouin.compute_effsize((a - b).to_numpy(), 0, eftype="cohen")
        assert (row.effect_name, row.effect) == ("d_z", pytest.approx(d_z))
    assert table["p_holm"].to_numpy() == pytest.approx(multipletests(table["p"], method="holm")[1])


def test_wilcoxon_against_scipy_and_pingouin():
    frame = measures(1)
    table = statistics.paired_test(
        frame, "value", "model", ["subject", "image"], "wilcoxon", by=["class"], reference="unet"
    )
    assert table["b"].unique().tolist() == ["unet"]
    wide = frame.pivot(index=["class", "image"], columns="model", values="value")
    for row in table.itertuples():
        a, b = wide.loc[row[1], row.a], wide.loc[row[1], row.b]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = pingouin.wilcoxon(a, b).iloc[0]
        assert row.statistic == other["W_val"]
        assert row.p == pytest.approx(stats.wilcoxon(a, b).pvalue)
        assert row.p == pytest.approx(other["p_val"])
        assert (row.effect_name, row.effect) == ("rank_biserial", pytest.approx(other["RBC"]))
        assert row.median_difference == pytest.approx((a - b).median())
        assert np.isnan(row.df)


def test_by_hand():
    frame = pd.DataFrame(
        {"image": list("abcabc"), "m": ["x"] * 3 + ["y"] * 3, "v": [3.0, 4, 8, 2, 2, 5]}
    )
    row = statistics.paired_test(frame, "v", "m", "image").iloc[0]
    assert (row["difference"], row["n"], row["dropped"]) == (2, 3, 0)
    assert row["effect"] == pytest.approx(2)
    assert row["statistic"] == pytest.approx(2 * np.sqrt(3))
    signed = statistics.paired_test(frame, "v", "m", "image", "wilcoxon").iloc[0]
    assert (signed["statistic"], signed["effect"], signed["p"]) == (0, 1, 0.25)


def test_average_tests_by_subject():
    frame = measures(2)
    found = statistics.paired_test(
        frame, "value", "model", "image", by="class", average="subject", reference="unet"
    )
    assert (found["n"] == 12).all()
    means = frame.groupby(["class", "subject", "model"])["value"].mean().unstack("model")
    for row in found.itertuples():
        test = stats.ttest_rel(means.loc[row[1], row.a], means.loc[row[1], row.b])
        assert (row.statistic, row.p) == pytest.approx((test.statistic, test.pvalue))
    keyed = statistics.paired_test(
        frame,
        "value",
        "model",
        ["subject", "image"],
        by="class",
        average="subject",
        reference="unet",
    )
    pd.testing.assert_frame_equal(keyed, found)


@pytest.mark.parametrize("average", [None, "subject"])
@pytest.mark.parametrize("method", ["t", "wilcoxon"])
def test_intervals_by_resampling_clusters(method, average):
    frame = measures(4)
    frame["value"] = frame["value"].round(2)  # with ties, and differences of 0
    frame.loc[0, "value"] = NAN
    options = {"by": "class", "reference": "unet", "average": average}
    draws = {"resamples": 60, "seed": 3, "confidence": 0.9}
    plain = statistics.paired_test(frame, "value", "model", "image", method, **options)
    table = statistics.paired_test(
        frame, "value", "model", "image", method, clusters="subject", **options, **draws
    )
    same = ["a", "b", "n", "dropped", "mean_a", "mean_b", "difference", "p", "p_holm", "effect"]
    pd.testing.assert_frame_equal(table[same], plain[same])

    def effect(d):
        if method == "t":
            return pingouin.compute_effsize(d, 0, eftype="cohen")
        ranks = stats.rankdata(np.abs(d[d != 0]))
        signs = np.sign(d[d != 0])
        return (signs * ranks).sum() / ranks.sum()

    for row in table.itertuples():
        cell = frame[frame["class"] == row[1]]
        wide = cell.pivot(index=["subject", "image"], columns="model", values="value")
        wide = wide[[row.a, row.b]].dropna()
        if average:
            wide = wide.groupby("subject").mean()
        subjects = wide.index.get_level_values("subject").to_numpy()
        d = wide[row.a] - wide[row.b]
        for values, low, high in (
            (wide[row.a], row.mean_a_low, row.mean_a_high),
            (wide[row.b], row.mean_b_low, row.mean_b_high),
            (d, row.low, row.high),
        ):
            found = statistics.mean_interval(values, subjects, **draws)
            assert (low, high) == pytest.approx((found.low, found.high))
        d = d.to_numpy()
        drawn = statistics.cluster_weights(subjects, 60, seed=3, values=d)
        again = [effect(d[np.repeat(np.arange(len(d)), w[drawn.codes])]) for w in drawn.weights]
        without = [effect(d[subjects != name]) for name in drawn.labels]
        assert row.effect == pytest.approx(effect(d))
        low, high = statistics.bca_interval(row.effect, again, without, 0.9)
        assert low < row.effect < high
        assert (row.effect_low, row.effect_high) == pytest.approx((low, high))


@pytest.mark.parametrize("method", ["t", "wilcoxon"])
def test_the_effects_interval_is_undefined_where_resampling_shows_nothing(method):
    def compared(*d):
        n = len(d)
        frame = pd.DataFrame(
            {"i": [*range(n)] * 2, "m": ["a"] * n + ["b"] * n, "v": [*d, *np.zeros(n)]}
        )
        return statistics.paired_test(frame, "v", "m", "i", method, clusters="i").iloc[0]

    for d in ((0.3, 0.35), (1.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (2.0,)):
        row = compared(*d)
        known = method == "t" and d == (1.0, 0.0, 0.0, 0.0)
        assert np.isnan(row["effect_low"]) == np.isnan(row["effect_high"]) == (not known), d
    assert np.isnan(compared(1.0, 2.0, 3.0, 4.0)["effect_low"]) == (method == "wilcoxon")


def test_the_effects_interval_holds_the_truth_as_often_as_it_says():
    """A percentile interval of it does in 0.83 of all cases, since resamples have less spread."""
    rng = np.random.default_rng(0)
    n, truth, runs = 12, 0.8, 250
    d = rng.normal(truth, 1, (runs, n))
    frame = pd.DataFrame(
        {
            "run": np.repeat(np.arange(runs), n),
            "subject": np.tile(np.arange(n), runs),
        }
    )
    both = [frame.assign(m="a", v=d.ravel()), frame.assign(m="b", v=0.0)]
    table = statistics.paired_test(
        pd.concat(both), "v", "m", "subject", by="run", clusters="subject", resamples=400
    )
    held = (table["effect_low"] <= truth) & (truth <= table["effect_high"])
    assert held.mean() > 0.87
    above = (table["effect_low"] > truth).mean()
    assert above < 0.1


def test_clusters_that_do_not_hold_what_is_averaged_are_refused():
    frame = measures(2)
    frame["scanner"] = np.where(frame["image"].str.endswith("0"), "old", "new")
    with pytest.raises(SettingsError, match="clusters: expected each 'subject' in one"):
        statistics.paired_test(
            frame, "value", "model", "image", by="class", average="subject", clusters="scanner"
        )
    alone = frame.assign(subject=frame["subject"].where(frame["subject"] != "s3"))
    with pytest.raises(SettingsError, match="subject: holds missing values"):
        statistics.paired_test(alone, "value", "model", "image", by="class", average="subject")
    with pytest.raises(SettingsError, match="resamples: expected a whole number"):
        statistics.paired_test(
            frame, "value", "model", "image", by="class", clusters="subject", resamples=0
        )


def test_incomplete_pairs_are_dropped_and_counted():
    frame = measures(3)
    frame.loc[0, "value"] = NAN  # unet, MF
    frame = frame.drop(index=7)
    first = statistics.paired_test(frame, "value", "model", "image", by="class")
    expected = frame.pivot(index=["class", "image"], columns="model", values="value")
    mf = expected.loc["MF"].dropna(subset=["unet", "transunet"])
    row = first[(first["class"] == "MF") & (first["b"] == "transunet")].iloc[0]
    assert row["p"] == pytest.approx(stats.ttest_rel(mf["unet"], mf["transunet"]).pvalue)
    assert row["dropped"] == 36 - len(mf) == 2


@pytest.mark.parametrize("method", ["t", "wilcoxon"])
def test_undefined_without_a_warning(method):
    same = pd.DataFrame({"i": list("abab"), "m": list("xxyy"), "v": [1.0, 2, 1, 2]})
    row = statistics.paired_test(same, "v", "m", "i", method).iloc[0]
    assert row["difference"] == 0
    assert np.isnan([row["p"], row["effect"], row["statistic"], row["p_holm"]]).all()
    alone = same[same["i"] == "a"]
    row = statistics.paired_test(alone, "v", "m", "i", method).iloc[0]
    assert (row["n"], row["difference"]) == (1, 0)
    assert np.isnan(row["p"])
    apart = same.assign(i=list("abcd"))
    row = statistics.paired_test(apart, "v", "m", "i", method).iloc[0]
    assert (row["n"], row["dropped"]) == (0, 4)
    assert np.isnan(row["difference"])


def test_bad_frames():
    frame = measures()
    with pytest.raises(SettingsError, match="value: no column 'dice' in the frame, which has"):
        statistics.paired_test(frame, "dice", "model", "image")
    with pytest.raises(SettingsError, match="occurs more than once"):
        statistics.paired_test(frame, "value", "model", "image")
    with pytest.raises(SettingsError, match="'t' or 'wilcoxon'"):
        statistics.paired_test(frame, "value", "model", "image", "anova")
    with pytest.raises(SettingsError, match="reference: expected one of"):
        statistics.paired_test(frame, "value", "model", "image", by="class", reference="vnet")
    with pytest.raises(SettingsError, match="two conditions"):
        statistics.paired_test(
            frame[frame["model"] == "unet"], "value", "model", ["image", "class"]
        )
    with pytest.raises(SettingsError, match="two roles"):
        statistics.paired_test(frame, "value", "model", "model")
    with pytest.raises(SettingsError, match="infinite"):
        statistics.paired_test(frame.assign(value=np.inf), "value", "model", ["image", "class"])
    with pytest.raises(SettingsError, match="expected numbers, got 'high'"):
        statistics.paired_test(frame.assign(value="high"), "value", "model", ["image", "class"])
    with pytest.raises(SettingsError, match="missing values"):
        statistics.paired_test(frame.assign(model=None), "value", "model", ["image", "class"])
    mixed = frame.assign(subject=np.arange(len(frame)).astype(str))
    with pytest.raises(SettingsError, match="belongs to several"):
        statistics.paired_test(mixed, "value", "model", "image", by="class", average="subject")
    with pytest.raises(SettingsError, match="DataFrame"):
        statistics.paired_test([1, 2], "value", "model", "image")


@pytest.mark.parametrize("levels", [(3,), (2, 3), (2, 3, 2), (2, 2)])
def test_anova_against_statsmodels(levels):
    frame = factorial(len(levels), levels=levels)
    within = list("abc"[: len(levels)])
    found = statistics.rm_anova(frame, "value", "subject", within)
    other = AnovaRM(frame, "value", "subject", within).fit().anova_table
    assert sorted(found["effect"]) == sorted(n.replace(":", " x ") for n in other.index)
    other.index = [n.replace(":", " x ") for n in other.index]
    other = other.loc[found["effect"]]
    for ours, theirs in (
        ("F", "F Value"),
        ("df", "Num DF"),
        ("df_error", "Den DF"),
        ("p", "Pr > F"),
    ):
        assert found[ours].to_numpy() == pytest.approx(other[theirs].to_numpy())
    assert found["p_holm"].to_numpy() == pytest.approx(multipletests(found["p"], method="holm")[1])


@pytest.mark.parametrize("levels", [(4,), (2, 3), (3, 4)])
def test_anova_against_pingouin(levels):
    frame = factorial(7, levels=levels)
    within = list("abc"[: len(levels)])
    found = statistics.rm_anova(frame, "value", "subject", within).set_index("effect")
    for effsize, column in (("ng2", "generalised_eta2"), ("np2", "partial_eta2")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = pingouin.rm_anova(
                frame,
                dv="value",
                within=within,
                subject="subject",
                correction=True,
                detailed=True,
                effsize=effsize,
            )
        other["Source"] = other["Source"].str.replace(" * ", " x ", regex=False)
        other = other.set_index("Source").loc[found.index]
        assert found[column].to_numpy() == pytest.approx(other[effsize].to_numpy())
        assert found["F"].to_numpy() == pytest.approx(other["F"].to_numpy())
        main = [e for e in found.index if "x" not in e]
        assert found.loc[main, "epsilon"].to_numpy() == pytest.approx(
            other.loc[main, "eps"].to_numpy(float)
        )
        assert found.loc[main, "p_corrected"].to_numpy() == pytest.approx(
            other.loc[main, "p_GG_corr"].to_numpy(float), rel=1e-4
        )


def test_anova_of_two_levels_is_the_paired_t_test():
    frame = factorial(3, levels=(2,))
    found = statistics.rm_anova(frame, "value", "subject", "a").iloc[0]
    test = statistics.paired_test(frame, "value", "a", "subject").iloc[0]
    assert (found["F"], found["p"]) == pytest.approx((test["statistic"] ** 2, test["p"]))
    assert found["epsilon"] == pytest.approx(1)


def test_anova_averages_slices_when_asked_and_drops_incomplete_subjects():
    frame = measures(4)
    with pytest.raises(SettingsError, match="average=True"):
        statistics.rm_anova(frame, "value", "subject", ["model", "class"])
    found = statistics.rm_anova(frame, "value", "subject", ["model", "class"], average=True)
    means = frame.groupby(["subject", "model", "class"], as_index=False)["value"].mean()
    pd.testing.assert_frame_equal(
        statistics.rm_anova(means, "value", "subject", ["model", "class"]), found
    )
    means.loc[0, "value"] = NAN
    fewer = statistics.rm_anova(means, "value", "subject", ["model", "class"])
    assert fewer["subjects"].tolist() == [11] * 3
    assert fewer["dropped"].tolist() == [1] * 3


def test_anova_without_variance():
    frame = factorial(0, levels=(2, 2)).assign(value=1.5)
    found = statistics.rm_anova(frame, "value", "subject", ["a", "b"])
    assert found[["F", "p", "p_corrected", "partial_eta2"]].isna().all(axis=None)
    certain = frame.assign(value=(frame["a"] == "a1") * 1.0)
    row = statistics.rm_anova(certain, "value", "subject", ["a", "b"]).iloc[0]
    assert (row["F"], row["p"], row["partial_eta2"]) == (np.inf, 0, 1)


def test_anova_bad_frames():
    frame = factorial()
    with pytest.raises(SettingsError, match="within: no column 'muscle'"):
        statistics.rm_anova(frame, "value", "subject", ["a", "muscle"])
    with pytest.raises(SettingsError, match="one level only"):
        statistics.rm_anova(frame[frame["a"] == "a0"], "value", "subject", ["a", "b", "c"])
    with pytest.raises(SettingsError, match="at least 2 subjects"):
        statistics.rm_anova(frame[frame["subject"] == 0], "value", "subject", ["a", "b", "c"])
    with pytest.raises(SettingsError, match="at least one factor"):
        statistics.rm_anova(frame, "value", "subject", [])
    with pytest.raises(SettingsError, match="infinite"):
        statistics.rm_anova(frame.assign(value=np.inf), "value", "subject", ["a", "b", "c"])


@given(st.integers(0, 100_000))
@settings(deadline=None, max_examples=30)
def test_properties(seed):
    frame = factorial(seed, subjects=5, levels=(2, 3))
    found = statistics.rm_anova(frame, "value", "subject", ["a", "b"])
    assert ((found["epsilon"] > 0.33) & (found["epsilon"] <= 1 + 1e-9)).all()
    shuffled = frame.sample(frac=1, random_state=seed).assign(value=lambda f: 7 - 2 * f["value"])
    again = statistics.rm_anova(shuffled, "value", "subject", ["a", "b"])
    assert again["F"].to_numpy() == pytest.approx(found["F"].to_numpy())
    one = statistics.paired_test(frame, "value", "b", ["subject", "a"])
    other = statistics.paired_test(frame, "value", "b", ["subject", "a"], reference="b0")
    assert other["p"].iloc[0] == pytest.approx(one["p"].iloc[0])
    assert other["effect"].iloc[0] == pytest.approx(-one["effect"].iloc[0])
