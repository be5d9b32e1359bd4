"""Table 1's tests: which architecture and which target keeps the raters' disagreement."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from paraspine.evidence.words import NOBODY
from paraspine.studies.interrater import brier as interrater_brier
from paraspine.studies.interrater import tables

FEW = {"resamples": 200}
LOW, HIGH = np.full(6, 0.01), np.linspace(0.02, 0.03, 6)


def network(values, fusion="majority", model="unet", seed=0, background=0.0, method="single"):
    """Two structures of one slice a subject, and the background."""
    lines = []
    for s, value in enumerate(values):
        place = {"subject": f"p{s}", "image": f"{s}.nii", "slice": 0}
        for name, v in (("background", background), ("MF", value), ("ES", 3 * value)):
            lines.append(place | {"class": name, "measure": "brier", "value": v})
            if name != "background":
                lines.append(place | {"class": name, "measure": "dice", "value": 0.9})
    who = f"{model}, {fusion}, seed {seed}, {method}"
    own = {"model": model, "fusion": fusion, "seed": seed, "method": method, "condition": who}
    return pd.DataFrame(lines).assign(**own)


def compared(*networks):
    return interrater_brier.brier_comparison(pd.concat(networks, ignore_index=True), **FEW)


def said(table):
    return interrater_brier.brier_sentence(table, tables.brier_table(network(LOW), **FEW))


def test_the_tests_are_scipys_over_the_mean_of_structures_and_seeds():
    rng = np.random.default_rng(0)
    values = {}
    networks = []
    for model in ("unet", "transunet"):
        for fusion in ("majority", "random"):
            values[model, fusion] = rng.random((2, 6))
            for seed, own in enumerate(values[model, fusion]):
                networks.append(network(own, fusion, model, seed, background=rng.random()))
    table = compared(*networks)
    assert table[["compared", "of", "a", "b"]].to_numpy().tolist() == [
        ["architectures", "majority, single", "unet", "transunet"],
        ["architectures", "random, single", "unet", "transunet"],
        ["targets", "unet, single", "random", "majority"],
        ["targets", "transunet, single", "random", "majority"],
    ]
    sides = [(("unet", f), ("transunet", f)) for f in ("majority", "random")]
    sides += [((m, "random"), (m, "majority")) for m in ("unet", "transunet")]
    for (_, row), (a, b) in zip(table.iterrows(), sides, strict=True):
        # Structures have 1 and 3 times the value: on average twice.
        one, other = (2 * values[side].mean(axis=0) for side in (a, b))
        assert row["difference"] == pytest.approx((one - other).mean())
        assert row["effect"] == pytest.approx((one - other).mean() / (one - other).std(ddof=1))
        assert row["p"] == pytest.approx(stats.ttest_rel(one, other).pvalue)
        assert row["p_subject"] == pytest.approx(row["p"])  # one slice a subject
        assert row["low"] < row["difference"] < row["high"]
        assert row["effect_low"] < row["effect"] < row["effect_high"]
        assert (row["n"], row["subjects"]) == (6, 6)
    for p, adjusted in (("p", "p_holm"), ("p_subject", "p_holm_subject")):
        expected = multipletests(table[p], method="holm")[1]
        assert table[adjusted].to_numpy() == pytest.approx(expected)


def test_slices_of_a_subject_count_once_by_subject():
    rng = np.random.default_rng(1)
    a, b = network(rng.random(6), "random"), network(rng.random(6))
    owner = {f"p{s}": f"p{s // 2}" for s in range(6)}
    row = compared(*(n.assign(subject=n["subject"].map(owner)) for n in (a, b))).iloc[0]
    brier = [n[(n["measure"] == "brier") & (n["class"] != "background")] for n in (a, b)]
    one, other = (n.groupby("subject")["value"].mean().to_numpy() for n in brier)
    assert row["p"] == pytest.approx(stats.ttest_rel(one, other).pvalue)
    pairs = (one - other).reshape(3, 2).mean(axis=1)
    assert row["p_subject"] == pytest.approx(stats.ttest_1samp(pairs, 0).pvalue)
    assert (row["n"], row["subjects"]) == (6, 3)


def test_lower_higher_and_open():
    table = compared(network(LOW, "random"), network(HIGH))
    assert said(table) == (
        "Of 1 comparison of random with majority, the Brier score is lower for random in 1 "
        "(unet, single) and for majority in 0; in 0 the interval of its difference can't tell. An "
        "adjusted p is below 0.05 in 1 of 1 comparison by image, in 1 by subject."
    )
    words = said(compared(network(HIGH, "random"), network(LOW)))
    assert "lower for random in 0 and for majority in 1 (unet, single); in 0" in words
    swinging = LOW + 0.001 * np.array([-1, 1, -1, 1, -1, 1])
    words = said(compared(network(swinging, "random"), network(LOW)))
    assert "in 0 and for majority in 0; in 1 the interval" in words
    assert "below 0.05 in 0 of 1 comparison by image, in 0 by subject" in words
    one = compared(network(LOW[:1], "random"), network(HIGH[:1]))
    assert "in 1 the interval of its difference can't tell" in said(one)
    assert "(no interval)" in interrater_brier.brier_comparison_display(one, source="x").iloc[0, 0]


def test_background_is_left_out_as_table_1_does():
    row = compared(network(LOW, "random", background=0.5), network(LOW)).iloc[0]
    assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)


def test_targets_are_compared_with_the_majority_within_an_architecture():
    either = "No target is set beside the majority: no network was trained on both"
    assert said(compared(network(LOW, "random"))).startswith(either)
    other = compared(network(LOW, "random"), network(HIGH, model="transunet"))
    assert other.empty
    assert interrater_brier.brier_comparison_display(other, source="x").empty
    two = compared(network(LOW, "random"), network(HIGH, "staple"))
    assert two.empty
    three = compared(network(LOW, "random"), network(HIGH, "staple"), network(HIGH))
    assert three[["a", "b"]].to_numpy().tolist() == [["random", "majority"], ["staple", "majority"]]
    alone = compared(network(LOW), network(HIGH, model="transunet"))
    words = said(alone)
    assert words.startswith("Of 1 comparison of unet with transunet, the Brier score is lower")
    assert either in words
    other = compared(network(LOW, "random", method="tta"), network(HIGH))
    assert said(other).startswith(either)
    nothing = network(LOW).iloc[:0]
    words = interrater_brier.brier_sentence(compared(nothing), tables.brier_table(nothing, **FEW))
    assert words == NOBODY


def test_the_table_for_reading_is_in_thousandths():
    table = compared(network(LOW, "random"), network(HIGH))
    shown = interrater_brier.brier_comparison_display(table, source="made by hand")
    assert shown.index.tolist() == [("random - majority", "unet, single")]
    assert shown.columns.name == "made by hand"
    # On average over two structures with 1 and 3 times the value: 20 less 40 to 60.
    assert shown.iloc[0, 0].startswith("-30.00 (-3")
    assert shown["images, subjects"].tolist() == ["6, 6"]
