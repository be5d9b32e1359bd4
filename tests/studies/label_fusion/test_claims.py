"""Verdicts on the paper's claims: in both directions, undecided, and resting on one subject."""

import numpy as np
import pandas as pd
import pytest

from paraspine import statistics
from paraspine.evidence import influence, judge
from paraspine.studies.label_fusion import calibration, claims, frames, words
from tests.studies.label_fusion.small import CANDIDATES, tidy

SUBJECTS = 8
GT = 0.02
WORDS = [claim.claim for claim in claims.CLAIMS]


def counted(gaps, subjects=SUBJECTS):
    """Counts of bins in which confidence exceeds accuracy by the given share of voxels."""
    lines = [
        {
            "subject": f"p{n}", "split": "split 1", "region": region, "bin": 9, "count": 100,
            "confidence": 80.0 + (100 * gap if region == "near" else 0) + 0.1 * (n % 3),
            "correct": 80.0, **who.columns(),
        }
        for n in range(subjects) for who, gap in gaps.items() for region in ("all", "near")
    ]  # fmt: skip
    return pd.DataFrame(lines)


def measured(brier, dice, entropy, subjects=SUBJECTS):
    """Rows of all measures that claims read, with a little noise that differs by candidate."""
    rng = np.random.default_rng(3)
    frames_ = []
    for who in CANDIDATES:
        noise = 1e-4 * rng.random((3, subjects))
        e = entropy[who] + noise[2]
        rows = {
            ("brier", ""): brier[who] + noise[0],
            ("dice", "STAPLE"): dice[who] + noise[1],
            ("entropy", ""): e,
            ("gt_entropy", ""): np.full(subjects, GT),
            ("entropy_error", ""): abs(e - GT),
            ("entropy_error_total", ""): 1000 * abs(e - GT),
        }
        for (measure, reference), values in rows.items():
            structure = "all" if "entropy" in measure else "MF"
            frames_.append(tidy({who: values}, measure, reference, structure))
    return pd.concat(frames_, ignore_index=True)


def made_up(sign, subjects=SUBJECTS):
    """Everything as the paper says (+1), the opposite (-1), or the same for all (0)."""
    plain, soft, random = (frames.CONVENTIONAL, frames.SOFTSEG, frames.SOFTSEG[2])
    flat = dict.fromkeys(CANDIDATES, 0.0)
    gaps = flat | dict.fromkeys(plain, 0.06 * sign) | {soft[1]: -0.02 * sign}
    gaps |= {soft[0]: 0.03 if sign > 0 else 0.09, soft[2]: 0.03 if sign > 0 else 0.09}
    if sign == -1:
        gaps |= dict.fromkeys(plain, -0.01)
    brier = flat | dict.fromkeys(CANDIDATES, 0.05) | {random: 0.05 - 0.02 * sign}
    dice = flat | dict.fromkeys(plain, 0.8) | dict.fromkeys(soft, 0.8 + 0.03 * sign)
    dice |= {frames.ENSEMBLE: 0.8}
    entropy = flat | dict.fromkeys(plain, GT - 0.01 * sign)
    entropy |= dict.fromkeys(soft, GT + (0.004 if sign > 0 else 0.03)) | {frames.ENSEMBLE: GT}
    entropy |= {soft[1]: GT + (0.004 * sign if sign > 0 else -0.03)}
    return counted(gaps, subjects), measured(brier, dice, entropy, subjects)


def verdicts(table):
    return judge.claims_summary(table).set_index("claim")["verdict"]


def test_claims_hold_and_turn_with_the_data():
    names = [c.claim for c in claims.CLAIMS[:-1]]
    up = verdicts(claims.fusion_claims(*made_up(1)))
    assert list(up.index) == WORDS
    assert up[names].tolist() == ["supported"] * 8
    down = verdicts(claims.fusion_claims(*made_up(-1)))
    assert down[names].tolist() == ["contradicted"] * 8
    few = verdicts(claims.fusion_claims(*made_up(1, subjects=5)))
    assert set(few) == {"can't tell"}


def test_every_claim_has_its_places_values_and_printed_differences():
    counts, frame = made_up(1)
    table = claims.fusion_claims(counts, frame)
    assert table.groupby("claim", sort=False).size().tolist() == [3, 3, 3, 3, 1, 3, 1, 5, 2]
    at = table.set_index(["claim", "where"])
    soft, plain = frames.SOFTSEG[0].label, frames.CONVENTIONAL[0].label
    error = frames.by_image(frame, "entropy_error_total")
    row = at.loc[(WORDS[0], soft)]
    assert row["value"] == pytest.approx((error[soft] - error[plain]).mean())
    assert row["printed"] == pytest.approx(980 - 2300)
    near = calibration.fusion_calibration(counts, region="near").set_index("condition")
    row = at.loc[(WORDS[1], soft)]
    assert row["value"] == pytest.approx(near["mean"][soft] - near["mean"][plain])
    dice = at.loc[(WORDS[2], soft)]
    assert dice["printed"] == pytest.approx((0.871 + 0.933 - 0.866 - 0.931) / 2)
    assert (dice["bound_low"], dice["bound_high"]) == (-0.01, 1.0)
    gap = at.loc[(WORDS[3], plain)]
    assert gap[["value", "low", "high"]].tolist() == pytest.approx(
        near.loc[plain, ["gap", "gap_low", "gap_high"]].tolist()
    )
    best = frames.SOFTSEG[2].label
    brier = at.loc[(WORDS[7], f"against {soft}")]
    assert brier["printed"] == pytest.approx(1e-4 * ((0.90 + 2.68) - (0.96 + 2.92)) / 2)
    scores = frames.by_image(frame, "brier")
    assert brier["value"] == pytest.approx((scores[best] - scores[soft]).mean())
    like = at.loc[(WORDS[8], "Brier score")]
    assert like["bound_high"] == pytest.approx(0.1 * scores[frames.ENSEMBLE.label].mean())
    assert like["verdict"] == "supported"
    assert at.loc[(WORDS[8], "entropy MAE"), "verdict"] == "contradicted"
    assert (table["least"] <= table["value"] + 1e-12).all()
    assert (table["value"] <= table["most"] + 1e-12).all()


def test_segmenting_as_well_allows_a_point():
    def verdict(shift):
        counts, frame = made_up(1)
        lower = frame["framework"].eq("SoftSeg") & frame["measure"].eq("dice")
        frame.loc[lower, "value"] = 0.8 + shift
        return verdicts(claims.fusion_claims(counts, frame))[WORDS[2]]

    assert verdict(-0.005) == "supported"
    assert verdict(-0.015) == "contradicted"
    assert verdict(0.05) == "supported"


def test_nothing_that_one_subject_decides_is_supported():
    def verdict(claim, low):
        found, rest = statistics.Estimate(0.02, 0.01, 0.03), statistics.Estimate(0.015, low, 0.04)
        left = influence.Influence(0.015, 0.021, each=(found, rest, found))
        line = claims._line(claim, "here", (found, left, 8))
        assert (line["least"], line["most"]) == (0.015, 0.021)
        assert line["paper"] == "lemay2022"
        return line["verdict"], line["why"]

    assert verdict(claims.OVER, 0.005) == ("supported", "")
    assert verdict(claims.OVER, -0.001) == ("can't tell", "one subject decides")
    assert verdict(claims.UNDER, 0.005) == ("contradicted", "")
    assert verdict(claims.UNDER, -0.001) == ("can't tell", "one subject decides")


def test_the_ratio_of_entropies_and_the_difference_of_frameworks_by_hand(made):
    found = claims.entropy_ratios(made.frame).set_index("framework")
    entropy, raters = (frames.by_image(made.frame, n) for n in ("entropy", "gt_entropy"))
    names = [who.label for who in frames.SOFTSEG]
    expected = entropy[names].to_numpy().sum() / raters[names].to_numpy().sum()
    row = found.loc["SoftSeg"]
    assert row["ratio"] == pytest.approx(expected)
    assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    error = frames.by_image(made.frame, "entropy_error")
    assert row["error"] == pytest.approx(error[names].to_numpy().mean())
    dice = frames.by_image(made.frame, "dice", "STAPLE")
    estimate, left, subjects = claims.framework_difference(made.frame, "dice")
    plain = [who.label for who in frames.CONVENTIONAL]
    each = dice[names].mean(axis=1) - dice[plain].mean(axis=1)
    assert estimate.value == pytest.approx(each.mean())
    assert subjects == 4
    drop = [each[each.index.get_level_values("subject") != f"p{k}"].mean() for k in range(4)]
    assert (left.low, left.high) == pytest.approx((min(drop), max(drop)))


def test_claims_in_words_and_numbers():
    up, down = (claims.fusion_claims(*made_up(sign)) for sign in (1, -1))
    said = claims.fusion_claims_sentence(up, "made by hand")
    assert said.startswith("On made by hand: **supported**: SoftSeg keeps the raters'")
    assert "**contradicted**" in claims.fusion_claims_sentence(down, "made by hand")
    assert words.claims_headline(up) == "8 supported and 1 mixed, of 9"
    assert words.claims_headline(down).startswith("8 contradicted and 1 ")
