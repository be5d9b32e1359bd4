"""Composite score, entropy errors and tests against a baseline: worked answers, SciPy, words."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from paraspine.arrays import SettingsError
from paraspine.evidence import conditions
from paraspine.studies.label_fusion import candidates, composite

BASE = "conventional-staple"
FEW = {"resamples": 200}
PARTS = ("dice", "precision", "recall", "absolute_volume_difference")


def tidy(values, measure="dice", structure="GM", subjects=None):
    """A frame from a mapping of candidate to values by image."""
    parts = [
        pd.DataFrame(
            {
                "subject": subjects or [f"p{i}" for i in range(len(row))],
                "image": [f"{i}.nii" for i in range(len(row))],
                "slice": 0,
                "class": structure,
                "measure": measure,
                "value": np.asarray(row, float),
                "condition": who,
            }
        )
        for who, row in values.items()
    ]
    return pd.concat(parts, ignore_index=True)


def of_all(values):
    """The same values for every part of the composite score, the last one turned round."""
    signs = dict.fromkeys(PARTS, 1) | {"absolute_volume_difference": -1}
    turned = [
        tidy({w: sign * np.asarray(v, float) for w, v in values.items()}, name)
        for name, sign in signs.items()
    ]
    return pd.concat(turned, ignore_index=True)


# --- composite score ---------------------------------------------------------------------------


def test_composite_by_hand():
    # Mean 3, standard deviation sqrt(5) over 0, 2, 4, 6; four measures that say the same.
    found = composite.composite_score(of_all({"a": [0, 4], "b": [2, 6]}))
    assert found["measure"].unique() == ["composite"]
    assert found["class"].unique() == ["all"]
    values = found.set_index(["condition", "subject"])["value"]
    expected = {("a", "p0"): -3, ("b", "p0"): -1, ("a", "p1"): 1, ("b", "p1"): 3}
    assert values.to_dict() == pytest.approx({k: 4 * v / 5**0.5 for k, v in expected.items()})
    assert conditions.summarise(found, "composite", "condition", **FEW)["n"].tolist() == [2, 2]


def test_composite_is_the_mean_over_structures_and_leaves_out_for_all():
    frame = of_all({"a": [0, 4, 9], "b": [2, 6, 9]})
    other = of_all({"a": [1, 1, 1], "b": [3, 3, 3]}).assign(**{"class": "WM"})
    lost = (
        (frame["condition"] == "a") & (frame["subject"] == "p2") & (frame["measure"] == "precision")
    )
    frame.loc[lost, "value"] = np.nan
    both = pd.concat([frame, other], ignore_index=True)
    values = composite.composite_score(both).set_index(["condition", "subject"])["value"]
    grey = {("a", "p0"): -3, ("b", "p0"): -1, ("a", "p1"): 1, ("b", "p1"): 3}
    white = {"a": -4, "b": 4}
    for (who, subject), z in grey.items():
        assert values[who, subject] == pytest.approx((4 * z / 5**0.5 + white[who]) / 2)
    assert values["b", "p2"] == pytest.approx(white["b"])  # b too is scored on white matter alone
    frame.loc[lost, "value"] = np.inf
    alone = composite.composite_score(frame).set_index(["condition", "subject"])["value"]
    assert alone[[("a", "p2"), ("b", "p2")]].isna().all()
    assert alone["a", "p0"] == pytest.approx(-12 / 5**0.5)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_composite_properties_and_scipy(seed):
    rng = np.random.default_rng(seed)
    tables = {m: rng.normal(size=(3, 7)) for m in PARTS}
    frame = pd.concat(
        [tidy(dict(zip("abc", v, strict=True)), m) for m, v in tables.items()], ignore_index=True
    )
    found = composite.composite_score(frame)
    values = found.pivot(index="condition", columns="subject", values="value").to_numpy()
    z = {m: stats.zscore(v, axis=None) for m, v in tables.items()}
    expected = z["dice"] + z["precision"] + z["recall"] - z["absolute_volume_difference"]
    np.testing.assert_allclose(values, expected, atol=1e-12)
    assert values.mean() == pytest.approx(0, abs=1e-12)
    scaled = frame.assign(value=3 * frame["value"] + 7)  # units don't matter
    np.testing.assert_allclose(composite.composite_score(scaled)["value"], found["value"])
    mixed = composite.composite_score(frame.sample(frac=1, random_state=seed))
    again = mixed.pivot(index="condition", columns="subject", values="value").to_numpy()
    np.testing.assert_allclose(again, values, atol=1e-12)


def test_composite_of_what_never_varies_is_zero():
    found = composite.composite_score(of_all({"a": [0.9, 0.9], "b": [0.9, 0.9]}))
    assert (found["value"] == 0).all()


def test_composite_of_repeated_splits():
    frame = pd.concat([of_all({"a": [0, 4], "b": [2, 6]}).assign(split=s) for s in (1, 2)])
    found = composite.composite_score(frame)
    assert len(found) == 8
    assert set(found["split"]) == {1, 2}
    with pytest.raises(SettingsError, match="occurs more than once"):
        composite.composite_score(frame, pair=["subject", "image"])
    alone = composite.composite_score(of_all({"a": [0, 4], "b": [2, 6]}), pair=["image"])
    assert alone["subject"].tolist() == ["p0", "p0", "p1", "p1"]


def test_composite_messages():
    with pytest.raises(SettingsError, match="no measure precision, recall, absolute_volume"):
        composite.composite_score(tidy({"a": [1], "b": [2]}))
    with pytest.raises(SettingsError, match="no column 'candidate'"):
        composite.composite_score(of_all({"a": [1]}), condition="candidate")


# --- entropy errors ----------------------------------------------------------------------------


def test_entropy_errors_by_hand():
    entropy = tidy({"a": [0.1, 0.4], "b": [0.3, 0.3]}, "entropy", "all")
    true = tidy({"a": [0.2, 0.2], "b": [0.2, np.nan]}, "gt_entropy", "all")
    found = composite.entropy_errors(pd.concat([entropy, true, tidy({"a": [1, 1]})]), voxels=50)
    each = found.set_index(["measure", "condition", "subject"])["value"]
    mean = {("a", "p0"): 0.1, ("a", "p1"): 0.2, ("b", "p0"): 0.1}
    for (who, subject), value in mean.items():
        assert each["entropy_error", who, subject] == pytest.approx(value)
        assert each["entropy_error_total", who, subject] == pytest.approx(50 * value)
    assert np.isnan(each["entropy_error", "b", "p1"])
    assert len(found) == 8
    assert len(composite.entropy_errors(pd.concat([entropy, true]))) == 4
    assert composite.entropy_errors(entropy)["value"].isna().all()


# --- tests against a baseline ------------------------------------------------------------------


def study(seed=0, subjects=12, slices=3):
    """One candidate better than the baseline, one worse, one the same but for noise."""
    rng = np.random.default_rng(seed)
    easy = np.repeat(rng.normal(0.8, 0.05, subjects), slices)
    shift = {BASE: 0, "better": 0.03, "worse": -0.03, "same": 0}
    values = {w: easy + s + rng.normal(0, 0.01, easy.size) for w, s in shift.items()}
    return tidy(values, subjects=[f"p{i // slices}" for i in range(easy.size)]), values


def test_wilcoxon_holm_and_effect_as_scipy_and_statsmodels():
    frame, values = study()
    table = candidates.candidate_table(frame, "dice", BASE, **FEW)
    assert table["condition"].tolist() == ["better", "worse", "same"]
    assert (table["n"] == 36).all()
    assert (table["subjects"] == 12).all()
    for suffix, size in (("", 1), ("_subject", 3)):
        differences = {
            w: (values[w] - values[BASE]).reshape(-1, size).mean(axis=1) for w in table["condition"]
        }
        p = [stats.wilcoxon(d).pvalue for d in differences.values()]
        assert table[f"p{suffix}"].tolist() == pytest.approx(p)
        adjusted = multipletests(p, method="holm")[1]
        assert table[f"p_holm{suffix}"].tolist() == pytest.approx(adjusted)
        for d, effect in zip(differences.values(), table[f"effect{suffix}"], strict=True):
            ranks = stats.rankdata(abs(d))
            assert effect == pytest.approx((ranks * np.sign(d)).sum() / ranks.sum())
    better = table.iloc[0]
    gap = values["better"] - values[BASE]
    assert (better["mean"], better["median_difference"]) == pytest.approx(
        (gap.mean(), np.median(gap))
    )
    assert better["value"] - better["value_baseline"] == pytest.approx(better["mean"])
    assert better["low"] > 0
    assert table.iloc[2]["low"] < 0 < table.iloc[2]["high"]


def test_words_in_every_direction():
    table = candidates.candidate_table(study()[0], "dice", BASE, **FEW)
    words = candidates.candidate_sentence(table)
    assert words.startswith("Dice against conventional-staple, Wilcoxon signed-rank test")
    for way in ("By image, as published", "By subject, as images of a subject are not independent"):
        assert f"{way}: higher for better; lower for worse; not told apart for same" in words
    two = candidates.candidate_table(study(subjects=2)[0], "dice", BASE, **FEW)
    undecided = candidates.candidate_sentence(two, "the Dice score")
    assert undecided.startswith("The Dice score against")
    assert "independent: not told apart for better, worse and same." in undecided
    one = candidates.candidate_table(study(subjects=1)[0], "dice", BASE, **FEW)
    assert "independent: not to be tested for better, worse and same." in (
        candidates.candidate_sentence(one)
    )
    assert one["low"].isna().all()


def test_several_measures_and_classes_and_display():
    frame = pd.concat(
        [study(s)[0].assign(**{"class": c}) for s, c in enumerate(("GM", "WM"))]
        + [study(2)[0].assign(measure="absolute_volume_difference")]
    )
    names = ["dice", "absolute_volume_difference"]
    table = candidates.candidate_table(frame, names, BASE, **FEW)
    assert table.groupby("measure", sort=False).size().tolist() == [6, 3]
    words = candidates.candidate_sentence(table)
    found = "higher for better (every class); lower for worse (every class); "
    assert f"By image, as published: {found}not told apart in 2 of 6 comparisons" in words
    some = table.assign(p_holm=table["p_holm"].where(table["class"] == "GM", 0.5))
    assert "By image, as published: higher for better (GM); lower for worse (GM); not told" in (
        candidates.candidate_sentence(some)
    )
    assert "Absolute volume difference against conventional-staple" in words
    shown = candidates.candidate_display(table, source="made by hand", scale=100, digits=1)
    assert shown.columns.name == "made by hand"
    row = shown.loc[("dice", "GM", "better")]
    assert row["p (Holm), by image"] == "< 0.001"
    assert re.fullmatch(r"[\d.]+ \([\d.]+ to [\d.]+\)", row["difference (95 % interval)"])
    assert row["effect, by subject"] == "1.00"


def test_undefined_and_infinite_values_are_counted():
    frame, _ = study()
    at = {"better": (0, np.nan), BASE: (1, np.inf), "worse": (2, np.inf)}
    for who, (image, value) in at.items():
        frame.loc[(frame["condition"] == who) & (frame["image"] == f"{image}.nii"), "value"] = value
    table = candidates.candidate_table(frame, "dice", BASE, **FEW).set_index("condition")
    assert table["n"].to_dict() == {"better": 34, "worse": 34, "same": 35}
    assert table["dropped"].to_dict() == {"better": 1, "worse": 0, "same": 0}
    assert table["infinite"].to_dict() == {"better": 1, "worse": 2, "same": 1}


def test_nothing_to_compare():
    table = candidates.candidate_table(tidy({BASE: [1, 2, 3]}), "dice", BASE, **FEW)
    assert table.empty
    assert "nothing to compare" in candidates.candidate_sentence(table)
    assert candidates.candidate_display(table, source="made by hand").empty


def test_messages():
    frame, _ = study()
    with pytest.raises(SettingsError, match="reference: expected one of"):
        candidates.candidate_table(frame, "dice", "majority")
    with pytest.raises(SettingsError, match="no 'iou'; there are dice"):
        candidates.candidate_table(frame, "iou", BASE)
    with pytest.raises(SettingsError, match="more than once"):
        candidates.candidate_table(pd.concat([frame, frame]), "dice", BASE)
    with pytest.raises(SettingsError, match="no column 'candidate'"):
        candidates.candidate_table(frame, "dice", BASE, condition="candidate")
