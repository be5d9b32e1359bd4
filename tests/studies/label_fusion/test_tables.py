"""Tests, composite score, references, left-out raters and published values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.multitest import multipletests

from paraspine import fusion
from paraspine.studies.label_fusion import calibration, frames, tables
from tests.studies.label_fusion.small import CANDIDATES, make, tidy

BASE, A, B = CANDIDATES[:3]
MEASURES = ("brier", "entropy_error", "dice", "precision", "recall",
            "absolute_volume_difference", "relative_volume_difference")  # fmt: skip


def everything(values, **options):
    """The same values for every measure of the tests, each against its reference."""
    return pd.concat(
        [tidy(values, m, tables.reference_of(m), **options) for m in MEASURES], ignore_index=True
    )


def scored(values, **options):
    """The same values for every part of the composite score, the last one turned round."""
    parts = [
        tidy({w: np.sign(sign) * np.asarray(v, float) for w, v in values.items()}, name, **options)
        for name, sign in tables.COMPOSITE.items()
    ]
    return pd.concat(parts, ignore_index=True)


def compared(seed=0, subjects=12, slices=3):
    """One candidate better than the baseline, one worse in fewer images."""
    rng = np.random.default_rng(seed)
    easy = np.repeat(rng.normal(0.8, 0.05, subjects), slices)
    shift = {BASE: 0, A: 0.03, B: -0.02}
    return {w: easy + s + rng.normal(0, 0.01, easy.size) for w, s in shift.items()}


def test_wilcoxon_holm_and_effect_as_scipy_and_statsmodels():
    values = compared()
    values[A][4] = np.nan
    frame = everything(values, per=3)
    composite = tidy(values, "composite", per=3)
    found = tables.wilcoxon_table(frame, composite)
    assert list(dict.fromkeys(found["measure"])) == list(tables.TESTED)
    table = found[found["measure"] == "dice"].reset_index(drop=True)
    assert table["condition"].tolist() == [A.label, B.label]
    assert table["n"].tolist() == [35, 36]
    assert table["dropped"].tolist() == [1, 0]
    assert (table["subjects"] == 12).all()
    for suffix, size in (("", 1), ("_subject", 3)):
        differences = [
            pd.Series(values[w] - values[BASE]).groupby(np.arange(36) // size).mean().dropna()
            for w in (A, B)
        ]
        p = [stats.wilcoxon(d).pvalue for d in differences]
        assert table[f"p{suffix}"].tolist() == pytest.approx(p)
        adjusted = multipletests(p, method="holm")[1]
        assert table[f"p_holm{suffix}"].tolist() == pytest.approx(adjusted)
        for d, effect in zip(differences, table[f"effect{suffix}"], strict=True):
            ranks = stats.rankdata(abs(d))
            assert effect == pytest.approx((ranks * np.sign(d)).sum() / ranks.sum())
    known = ~np.isnan(values[A])
    assert table["value"][0] == pytest.approx(values[A][known].mean())
    assert table["value_baseline"][0] == pytest.approx(values[BASE][known].mean())
    assert table["mean"][0] == pytest.approx((values[A] - values[BASE])[known].mean())
    assert table["low"][0] > 0 > table["high"][1]


def test_tests_are_of_means_over_structures():
    high, low = compared(), {w: 0.5 * v for w, v in compared(1).items()}
    frame = pd.concat([everything(high, per=3), everything(low, per=3, structure="ES")])
    found = tables.wilcoxon_table(frame, tidy(high, "composite", per=3))
    row = found[(found["measure"] == "recall") & (found["condition"] == A.label)].iloc[0]
    expected = (high[A] - high[BASE] + low[A] - low[BASE]).mean() / 2
    assert row["mean"] == pytest.approx(expected)


def test_composite_by_hand():
    # Mean 3, standard deviation sqrt(5) over 0, 2, 4, 6; four measures that say the same.
    found = tables.composite_score(scored({A: [0, 4], B: [2, 6]}))
    assert found["measure"].unique() == ["composite"]
    assert found["class"].unique() == ["all"]
    values = found.set_index(["condition", "subject"])["value"]
    expected = {(A, "p0"): -3, (B, "p0"): -1, (A, "p1"): 1, (B, "p1"): 3}
    assert values.to_dict() == pytest.approx(
        {(w.label, s): 4 * v / 5**0.5 for (w, s), v in expected.items()}
    )


def test_composite_is_the_mean_over_structures_and_leaves_out_for_all():
    frame = scored({A: [0, 4, 9], B: [2, 6, 9]})
    other = scored({A: [1, 1, 1], B: [3, 3, 3]}, structure="ES")
    lost = (frame["condition"] == A.label) & (frame["subject"] == "p2")
    frame.loc[lost & (frame["measure"] == "precision"), "value"] = np.nan
    both = pd.concat([frame, other, scored({A: [7, 8, 9], B: [1, 1, 2]}, reference="majority")])
    values = tables.composite_score(both).set_index(["condition", "subject"])["value"]
    grey = {(A, "p0"): -3, (B, "p0"): -1, (A, "p1"): 1, (B, "p1"): 3}
    white = {A: -4, B: 4}
    for (who, subject), z in grey.items():
        expected = (4 * z / 5**0.5 + white[who]) / 2
        assert values[who.label, subject] == pytest.approx(expected)
    assert values[B.label, "p2"] == pytest.approx(white[B])  # on the other structure alone
    alone = tables.composite_score(frame).set_index(["condition", "subject"])["value"]
    assert alone[[(A.label, "p2"), (B.label, "p2")]].isna().all()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_composite_is_scipys_z_scores_in_any_unit_and_order(seed):
    rng = np.random.default_rng(seed)
    parts = {m: rng.normal(size=(3, 7)) for m in tables.COMPOSITE}
    frame = pd.concat(
        [tidy(dict(zip(CANDIDATES, v, strict=False)), m) for m, v in parts.items()],
        ignore_index=True,
    )

    def scores(given):
        found = tables.composite_score(given)
        return found.pivot(index="condition", columns="subject", values="value").loc[
            [who.label for who in CANDIDATES[:3]]
        ]

    z = {m: stats.zscore(v, axis=None) for m, v in parts.items()}
    expected = z["dice"] + z["precision"] + z["recall"] - z["absolute_volume_difference"]
    np.testing.assert_allclose(scores(frame), expected, atol=1e-12)
    mixed = frame.assign(value=3 * frame["value"] + 7).sample(frac=1, random_state=seed)
    np.testing.assert_allclose(scores(mixed), expected, atol=1e-10)


def test_composite_of_what_never_varies_is_zero():
    assert (tables.composite_score(scored({A: [0.9, 0.9], B: [0.9, 0.9]}))["value"] == 0).all()


def test_gains_by_hand():
    frame = pd.concat(
        [
            tidy({BASE: [0.9, 0.8], A: [0.7, 0.7]}),
            tidy({BASE: [0.8, 0.6], A: [0.75, 0.65]}, reference="majority"),
        ]
    )
    table = tables.reference_table(frame).set_index("condition")
    assert table["mean"].tolist() == pytest.approx([0.15, 0.0, 0.15])
    assert table.loc[BASE.label, ["value_first", "value_second"]].tolist() == pytest.approx(
        [0.85, 0.7]
    )
    assert table["trained"].tolist() == ["on STAPLE", "otherwise", ""]
    assert table["n"].tolist() == [2, 2, 2]
    frame.loc[(frame["condition"] == A.label) & (frame["subject"] == "p0"), "value"] = np.nan
    again = tables.reference_table(frame).set_index("condition")
    assert again["n"].tolist() == [2, 1, 1]
    assert again.loc[tables.FAVOUR, "mean"] == pytest.approx(0.2 - 0.05)
    nothing = tables.reference_table(frame.assign(value=np.nan))
    assert nothing["mean"].isna().all()


def test_left_out_scores_by_hand():
    # Without a: b = c mark 2 pixels; without b or c the vote ties where a and the other differ.
    labels = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]])
    rater, network = tables.left_out_scores(labels, [np.array([1, 0, 0, 0])], 2)
    tied = fusion.majority_vote(labels[[0, 2]], 2)
    own = 2 * 2 / (2 + tied.sum())
    assert rater[:, 0] == pytest.approx([2 * 2 / (3 + 2), own, own])
    far = 2 * 1 / (1 + tied.sum())
    assert network[:, 0] == pytest.approx([2 * 1 / (1 + 2), far, far])


def test_left_out_raters_and_candidates_meet_the_same_reference(made):
    frame = tables.left_out_frame(made.repeated, made.predictions, {})
    one, item = made.repeated[1], 1
    row = one.test.table.iloc[item]
    at = (frame["image"] == row["image"]) & (frame["split"] == one.name)
    others = fusion.majority_vote(one.test.labels[item][[0, 2]], 3).ravel() == 2
    own = frame[at & (frame["rater"] == "b") & (frame["class"] == "ES")].set_index("condition")
    hard = made.predictions[one.name, A].test[item].argmax(0).ravel() == 2
    assert own["value"][A.label] == pytest.approx(f1_score(others, hard))
    rater = one.test.labels[item][1].ravel() == 2
    assert own["value"][tables.LEFT_OUT] == pytest.approx(f1_score(others, rater))
    table = tables.left_out_table(frame).set_index("condition")
    mean = frame.groupby("condition")["value"].mean()
    assert table.loc[A.label, "value"] == pytest.approx(mean[A.label])
    assert table.loc[A.label, "value_left_out"] == pytest.approx(mean[tables.LEFT_OUT])
    assert table.loc[A.label, "mean"] == pytest.approx(mean[A.label] - mean[tables.LEFT_OUT])
    assert set(table["n"]) == {8 * 3 * 2}  # images of both splits, raters, structures
    each = tables.left_out_table(frame, ["rater"])
    assert each.groupby("rater")["n"].unique().map(list).tolist() == [[16]] * 3


def test_left_out_takes_three_raters(tools):
    repeated, predictions = make(tools, raters=2, images=4, splits=1)
    frame = tables.left_out_frame(repeated, predictions, {})
    assert frame.empty
    assert tables.left_out_table(frame).empty
    assert tables.left_out_table(frame, ["rater"]).empty


def test_thresholds_make_the_segmentations_that_are_left_out(tools):
    repeated, predictions = make(tools, classes=2, images=4, splits=1)
    high = dict.fromkeys(predictions, 0.999)
    low, raised = (tables.left_out_frame(repeated, predictions, t) for t in ({}, high))
    own = low["condition"] != tables.LEFT_OUT
    assert (low["value"][own] > raised["value"][own].fillna(0)).mean() > 0.5
    assert low["value"][~own].equals(raised["value"][~own])


def test_the_published_values_stand_beside_this_run(made):
    brier = tables.paper_table(made.frame, "brier").set_index("condition")
    assert list(brier.index) == [who.label for who in CANDIDATES]
    row = brier.loc[BASE.label]
    assert row["SCGM grey matter"] == "1.05 ± 0.04"
    assert row["MS lesions"] == "7.78 ± 5.84"
    assert row["mean"] == pytest.approx(
        1e4 * frames.by_image(made.frame, "brier")[BASE.label].mean()
    )
    assert row["low"] < row["mean"] < row["high"]
    assert brier.loc[frames.ENSEMBLE.label, "MS lesions"] == "–"
    entropy = tables.paper_table(made.frame, "entropy_error_total").set_index("condition")
    assert entropy.loc[A.label, "SCGM image, × 10³"] == "2.33 ± 0.01"
    assert entropy.loc[frames.SOFTSEG[2].label, "MS image, × 10⁴"] == "3.40 ± 3.96"
    dice = tables.paper_table(made.frame, "dice").set_index("condition")
    assert dice.loc[frames.SOFTSEG[1].label, "MS lesions"] == "56.0 ± 10.7"
    staple = frames.by_image(made.frame, "dice", "STAPLE")[A.label].mean()
    assert dice.loc[A.label, "mean"] == pytest.approx(100 * staple)
    four = tables.paper_table(made.frame, "brier", ["Table 4"]).set_index("condition")
    assert four.loc[frames.ENSEMBLE.label, "MS lesions"] == "5.39 ± 1.94"
    assert four.loc[frames.SOFTSEG[0].label, "MS lesions"] == "5.28 ± 1.83"


def test_errors_near_structures_and_over_all_voxels_stand_beside_the_published(made):
    every, near = (
        calibration.fusion_calibration(made.counts, region=region) for region in ("all", "near")
    )
    found = tables.published_errors(near, every).set_index("framework")
    assert found.loc["conventional", ["SCGM", "MS"]].tolist() == [16.2, 20.4]
    assert found.loc["SoftSeg", ["SCGM", "MS"]].tolist() == [2.9, 2.4]
    assert found.loc["SoftSeg", "near"] == pytest.approx(100 * near["mean"][3:6].mean())
    assert found.loc["conventional", "all"] == pytest.approx(100 * every["mean"][:3].mean())


def test_rows_against_one_reference(made):
    kept = tables.against(made.frame, "majority")
    assert set(kept["reference"]) == {"", "majority"}
    assert set(kept["class"]) == {"MF", "ES", "all"}
    distances = tables.distance_table(made.frame)
    assert set(distances["measure"]) == {"energy_distance", "matched_iou"}
    assert len(distances) == 14
