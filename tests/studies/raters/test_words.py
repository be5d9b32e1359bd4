"""Sentences about the raters: each in both directions, and where nothing can be told."""

import numpy as np
import pandas as pd
import pytest

from paraspine import frames
from paraspine.evidence import conditions
from paraspine.studies.raters import tables, words
from tests.studies.both_ways import both_ways
from tests.studies.raters.shapes import bars

NONE = {"decided_by": "", "without_low": np.nan, "without_high": np.nan}


# --- agreement -------------------------------------------------------------------------------


def agreement(dice):
    """The sentence of eight subjects' Dice by structure, and 20 % disputed."""
    lines = [
        {"subject": f"s{k}", "image": "i", "slice": 0, "class": name, "measure": "pairwise_dice",
         "value": value + 0.01 * (k % 3)}
        for name, value in dice.items() for k in range(8)
    ]  # fmt: skip
    frame = pd.DataFrame(lines)
    table = conditions.summarise(frame, "pairwise_dice", ["class"])
    fused = pd.DataFrame(
        [
            {"measure": "tie_rate", "mean": 1.0, "low": 0.5, "high": 2.0},
            {"measure": "disputed", "mean": 20.04, "low": 19.0, "high": 21.06},
        ]
    )
    return words.agreement_sentence(frame, table, fused)


def test_agreement_names_the_better_structure():
    found = both_ways(
        lambda sign: agreement({"MF": 0.8 + 0.1 * sign, "ES": 0.8, "PM": 0.8 + 0.05 * sign}),
        "better on MF (0.909) than on ES (0.809)",
        "better on ES (0.809) than on MF (0.709)",
    )
    assert found.startswith("Two raters agree on a structure with a Dice of **0.859** (95 % CI 0.8")
    assert found.endswith("any of them marked, 20.0 % (95 % CI 19.0 to 21.1) are disputed.")


def test_structures_alike_and_one_alone():
    lines = {"MF": 0.8, "ES": 0.8}
    assert ", about equally on all 2 structures (0.809 to 0.809). Of" in agreement(lines)
    one = agreement({"MF": 0.8})
    assert "equally" not in one
    assert "better" not in one


def small(tools, labels, **options):
    data = tools.data(labels, **options)
    frame = frames.rater_frame(data)
    table = conditions.summarise(frame, "pairwise_dice", ["class"])
    return words.agreement_sentence(frame, table, tables.fusion_table(data)), frame


def test_agreement_says_why_it_is_undefined(tools):
    assert "one rater only" in small(tools, bars([3], [4]), classes=2)[0]
    apart = [[True, False], [False, True]]
    said, frame = small(tools, bars([3, 0], [0, 4]), rated=apart, classes=2)
    assert "needs at least two raters of the same image" in said
    assert words.left_out_sentence(frame) == "Left out: 2 values of 2 images without two raters."
    said, frame = small(tools, bars([0, 0], [0, 0]), classes=2)
    assert said == (
        "No structure was outlined by two raters in the same image, so Dice is undefined."
    )
    assert words.left_out_sentence(frame) == "Left out: 2 structures that nobody marked."


def test_what_is_left_out_is_counted_once(tools):
    rated = [[True, True], [True, False], [True, True]]
    labels = bars([3, 4], [2, 0], [5, 5])  # of the second structure there is nothing anywhere
    said, frame = small(tools, labels, rated=rated, classes=3)
    assert said.startswith("Two raters agree on a structure with a Dice of **0.929** (")
    assert words.left_out_sentence(frame) == (
        "Left out: 2 values of 1 image without two raters and 2 structures that nobody marked."
    )
    assert words.left_out_sentence(small(tools, bars([3, 4]), classes=2)[1]) == ""


# --- areas -----------------------------------------------------------------------------------


def reliability(*low):
    lines = [
        {"class": name, "icc": least + 0.04, "icc_low": least, "icc_high": least + 0.05,
         "without_low": least + 0.03, "without_high": least + 0.06}
        for name, least in zip(("MF", "ES"), low, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(lines)


BIAS = pd.DataFrame(
    [
        {"pair": "a and b", "lower": -40.4, "upper": 10.0, "area": 202.0},
        {"pair": "a and c", "lower": -5.0, "upper": 6.0, "area": 200.0},
    ]
)


@pytest.mark.parametrize(
    ("low", "grade"),
    [(0.9, "excellent"), (0.89, "good"), (0.75, "good"), (0.74, "moderate"), (0.49, "poor")],
)
def test_reliability_is_graded_by_the_lowest_interval(low, grade):
    found = words.area_sentence(reliability(0.93, low), BIAS)
    assert found.startswith(f"The area of a muscle in one image is measured with {grade} rel")
    assert (
        f"ICC(2,1) is lowest for ES, {low + 0.04:.2f} (95 % CI {low:.2f} to {low + 0.05:.2f})"
        in found
    )
    assert f"; {low + 0.03:.2f} to {low + 0.06:.2f} without any one subject. In 95" in found


def test_limits_are_those_of_the_pair_that_differs_most():
    found = words.area_sentence(reliability(0.93, 0.9), BIAS)
    assert found.endswith(
        "the areas of a and b, the pair that differs most, lie -40 to 10 mm² apart, up to 20 % of "
        "their mean."
    )
    turned = BIAS.assign(lower=-BIAS["upper"], upper=-BIAS["lower"])
    assert "lie -10 to 40 mm² apart, up to 20 %" in words.area_sentence(
        reliability(0.9, 0.9), turned
    )


def test_areas_without_two_images_or_intervals():
    assert words.area_sentence(pd.DataFrame(), BIAS).startswith("Areas are compared where every")
    open_ = reliability(0.8, 0.9).assign(icc_low=np.nan, icc_high=np.nan, without_low=np.nan)
    found = words.area_sentence(open_, BIAS)
    assert found.startswith("ICC(2,1) is lowest for MF, 0.84 (no interval). In 95")


# --- styles ----------------------------------------------------------------------------------


def style(rater, name, mean, half=1.0, **more):
    ends = {"mean": mean, "low": mean - half, "high": mean + half, "clusters": 8}
    return {"rater": rater, "class": name} | ends | NONE | more


def test_styles_both_ways():
    def say(sign):
        rows = [
            style("anna", "MF", 3.0 * sign), style("anna", "ES", -1.5 * sign),
            style("anna", "PM", -2.0 * sign), style("bo", "MF", 0.5),
            style("bo", "ES", -0.9),
            style("cy", "MF", 4.0, decided_by="s3"), style("cy", "ES", 4.0, clusters=5),
        ]  # fmt: skip
        return words.style_sentence(pd.DataFrame(rows))

    found = both_ways(
        say,
        "anna outlines more MF (3.0 %) and less ES and PM (1.5 to 2.0 %).",
        "anna outlines more ES and PM (1.5 to 2.0 %) and less MF (3.0 %).",
    )
    assert found == (
        "Compared with the mean of all raters, anna outlines more MF (3.0 %) and less ES and PM "
        "(1.5 to 2.0 %)."
        " The other 4 differences can't be told from 0."
    )


def test_styles_that_cannot_be_told(tools):
    nothing = pd.DataFrame([style("anna", "MF", 0.5), style("bo", "MF", -0.9)])
    assert words.style_sentence(nothing).startswith("No rater outlines more or less than the")
    assert "one rater only" in words.style_sentence(nothing.iloc[:0])
    one = nothing.assign(low=np.nan, high=np.nan)
    assert words.style_sentence(one).startswith("All images are of one subject, so")
    empty = nothing.assign(mean=np.nan)
    assert words.style_sentence(empty).startswith("No structure was outlined by two raters")


# --- groups ----------------------------------------------------------------------------------


def entropies(values, group="level"):
    """The sentence of eight subjects' entropies at several levels."""
    lines = [
        {"subject": f"s{k}", "level": name, "measure": "gt_entropy", "value": value + 0.001 * k}
        for name, value in values.items() for k in range(8)
    ]  # fmt: skip
    frame = pd.DataFrame(lines)
    table = conditions.summarise(frame, "gt_entropy", group)
    return words.group_sentence(frame, table, "GT entropy", group)


def test_groups_both_ways():
    found = both_ways(
        lambda sign: entropies({"L3": 0.2 + 0.1 * sign, "L4": 0.2 + 0.05 * sign, "S1": 0.2}),
        "highest for level L3, 0.3035 (95 % CI 0.3019 to 0.3050) nats, and lowest for S1, 0.2035",
        "highest for level S1, 0.2035 (95 % CI 0.2019 to 0.2050) nats, and lowest for L3, 0.1035",
    )
    assert (
        "The difference is 0.1000 (95 % CI 0.1000 to 0.1000) nats; 0.1000 to 0.1000 with" in found
    )
    assert "can't be told" not in found


def test_groups_that_differ_in_one_subject_alone_are_not_told_apart():
    lines = [
        {"subject": f"s{k}", "level": name, "value": 0.2 + (k == 3) * (name == "L3")}
        for name in ("L3", "S1") for k in range(8)
    ]  # fmt: skip
    frame = pd.DataFrame(lines).assign(measure="gt_entropy")
    table = conditions.summarise(frame, "gt_entropy", "level")
    found = words.group_sentence(frame, table, "GT entropy", "level")
    assert (
        "0.0000 to 0.1429 without any one subject; whether the two differ can't be told." in found
    )


def test_groups_alike_alone_and_subjects(tools):
    assert entropies({"L3": 0.2, "S1": 0.2}).startswith("GT entropy is the same for every level, ")
    assert entropies({"L3": 0.2}).startswith("GT entropy is 0.2035 (95 % CI")
    said = entropies({"L3": 0.2}, "subject")
    assert said == (
        "GT entropy is highest for subject s7, 0.2070 (no interval) nats, and lowest for s0, "
        "0.2000 (no interval) nats."
    )
    assert "one rater only" in entropies({"L3": np.nan})


# --- fusion ----------------------------------------------------------------------------------


def test_fusion_words(tools):
    frame = pd.DataFrame({"measure": ["raters"], "value": [3]})
    table = pd.DataFrame(
        [
            {"measure": "tie_rate", "mean": 1.234, "low": 1.0, "high": 1.5},
            {"measure": "staple_differs", "mean": 0.1, "low": np.nan, "high": np.nan},
        ]
    )
    assert words.fusion_sentence(table, frame) == (
        "Votes tie on 1.23 % (95 % CI 1.00 to 1.50) of the marked voxels; STAPLE and the majority "
        "vote differ on 0.10 % (no interval)."
    )
    none = words.fusion_sentence(table.iloc[:0], frame)
    assert none.endswith("so the share of tied votes is undefined.")
    alone = words.fusion_sentence(table.iloc[:0], frame.assign(value=1))
    assert "one rater only" in alone


def test_staple_words(tools):
    data = tools.data(bars([3, 4], [2, 2], [5, 4], [1, 1]), classes=2)
    rows = {"converged": True, "iterations": 5, "undecided": 0, "inverted": False}
    frame = pd.DataFrame([rows] * 3)
    assert words.staple_sentence(frame, data) == (
        "STAPLE converged in all 3 images. No rater is found worse than chance. Left out: 1 image "
        "without two raters."
    )
    wrong = pd.DataFrame(
        [
            rows | {"converged": False, "undecided": 6},
            rows | {"undecided": 2, "inverted": True},
            rows,
            rows | {"inverted": True, "converged": False},
        ]
    )
    assert words.staple_sentence(wrong.iloc[[0, 1, 2, 3]], data) == (
        "STAPLE did not converge in 2 of 4 images. In 2 of 4 images, 8 voxels stayed undecided "
        "between classes and went to the lower class number. In 2 of 4 images raters are worse "
        "than chance: don't use those labels."
    )
    assert words.staple_sentence(frame.iloc[:1], data).startswith("STAPLE converged in the one im")
    assert "one rater only" in words.staple_sentence(frame.iloc[:0], data)


def extents(shifts, stuck=0):
    """STAPLE's area in eight subjects, with the union `shifts` away from the whole image's."""
    lines = []
    for extent in (tables.WHOLE, "union + 5 mm", "union"):
        for k in range(8):
            own = {"subject": f"s{k}", "image": "i", "slice": 0, "extent": extent}
            for name, shift in shifts.items():
                value = 1.0 + k + (shift + 0.01 * k if extent == "union" else 0)
                lines.append(own | {"class": name, "measure": "area", "value": value})
            fine = {"class": "all", "measure": "converged", "value": float(k >= stuck)}
            lines.append(own | fine)
    return words.extent_sentence(pd.DataFrame(lines))


def test_extents_both_ways():
    found = both_ways(
        lambda sign: extents({"MF": -0.5 * sign, "ES": -0.9 * sign, "PM": -0.035}),
        "STAPLE outlines 0.5 to 0.9 percentage points less of MF and ES; no change can be told of",
        "STAPLE outlines 0.5 to 0.9 percentage points more of MF and ES; no change can be told of",
    )
    assert found.startswith("If the raters' union alone takes part, ")
    assert extents({"MF": -1.0, "ES": 1.0}).endswith(
        "STAPLE outlines 1.0 percentage points less of MF and 1.0 percentage points more of ES."
    )


def test_extents_that_change_nothing_or_stand_alone():
    assert "no change of STAPLE's outlines can be told." in extents({"MF": -0.035})
    assert extents({"MF": 1.0}, stuck=2).endswith(". 6 estimations did not converge.")
    lines = {"subject": ["p"], "image": ["i"], "slice": [0], "class": ["MF"], "measure": ["area"]}
    one = pd.DataFrame(lines | {"value": [1.0], "extent": [tables.WHOLE]})
    assert words.extent_sentence(one).startswith("Only the whole image was taken")
    assert "one rater only" in words.extent_sentence(one.iloc[:0])


# --- blanks ----------------------------------------------------------------------------------


def test_blank_words(tools):
    rated = [[True, True], [True, False], [False, False]]
    blanks = tools.data(bars([4, 4], [2, 0], [0, 0]), rated, classes=2)
    assert words.blank_sentence(tables.blank_table(blanks), blanks) == (
        "1 blank among 4 ratings. Counting them as rated and empty changes the mean GT entropy "
        "from 0.0000 to 0.0866 and the mean Dice from 1.000 to 0.500. GT entropy then exists for 2 "
        "images instead of 1."
    )
    full = tools.data(bars([4, 4], [2, 0]), classes=2)
    assert words.blank_sentence(tables.blank_table(full), full) == (
        "Every rater rated every image, so the question does not arise here."
    )
    some = blanks.select([0, 2])
    assert "every image that anyone rated, so" in (
        words.blank_sentence(tables.blank_table(some), some)
    )


def test_summary_leaves_out_what_is_empty():
    assert words.summary("One.", "", "Two.") == "- One.\n- Two."


# --- any cohort ------------------------------------------------------------------------------

RATED = [[True, True], [True, False], [False, False]]
COHORTS = {
    "usual": (bars([6, 4, 5], [3, 2, 2], [8, 7, 8]), {}),
    "one rater": (bars([3], [4]), {}),
    "one subject": (bars([6, 4], [3, 2]), {"subject": "p", "level": ["L3", "S1"]}),
    "one image": (bars([6, 4]), {}),
    "nothing marked": (bars([0, 0], [0, 0]), {}),
    "blanks": (bars([4, 3], [2, 0], [0, 0]), {"rated": RATED}),
    "nobody rated": (bars([0, 0]), {"rated": [[False, False]]}),
}


@pytest.mark.parametrize("name", COHORTS)
def test_any_cohort_has_words_without_nan(tools, name):
    labels, options = COHORTS[name]
    data = tools.data(labels, classes=2, **options)
    frame = frames.rater_frame(data)
    table = conditions.summarise(frame, "pairwise_dice", ["class"])
    group = tables.group_column(frame)
    entropy = frames.rows(frame, "gt_entropy")
    grouped = conditions.summarise(frame, "gt_entropy", group)
    fused, areas = tables.fusion_table(data), tables.area_frame(data)
    bias = tables.bias_table(tables.area_pairs(areas))
    said = [
        words.agreement_sentence(frame, table, fused),
        words.area_sentence(tables.icc_table(areas), bias),
        words.group_sentence(entropy, grouped, "GT entropy", group),
        words.style_sentence(tables.rater_styles(areas, data.raters)),
        words.fusion_sentence(fused, frame),
        words.staple_sentence(tables.staple_frame(data), data),
        words.extent_sentence(tables.extent_frame(data)),
        words.blank_sentence(tables.blank_table(data), data),
    ]
    for sentence in said:
        assert sentence.endswith(".")
        assert "nan" not in sentence
        assert "undefined to" not in sentence
