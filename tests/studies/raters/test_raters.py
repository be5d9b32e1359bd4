"""Tables and sentences about raters, from images worked out by hand."""

import re

import numpy as np
import pandas as pd
import pytest

from paraspine import frames, fusion
from paraspine.evidence import conditions
from paraspine.studies.raters import tables
from paraspine.studies.raters import words as raters_words

LN2 = np.log(2)
FEW = {"resamples": 50}


def by(table, *names):
    """Rows of a table by the values of some columns."""
    return table.set_index(list(names) if len(names) > 1 else names[0])


def bars(*heights, width=4):
    """Label maps of a structure that covers the first rows, one image each."""
    images = np.zeros((len(heights), len(heights[0]), 8, width))
    for image, of_image in zip(images, heights, strict=True):
        for labels, height in zip(image, of_image, strict=True):
            labels[:height] = 1
    return images


# --- styles ----------------------------------------------------------------------------------


def test_a_raters_style_is_the_excess_over_the_others(tools):
    data = tools.data(bars([6, 4, 4], [3, 2, 2]), classes=2, spacing=(0.5, 3.0))
    table = by(tables.rater_styles(data, **FEW), "rater")
    assert table["mean"].to_dict() == pytest.approx(
        {"a": 50, "b": 100 * (4 / 5 - 1), "c": 100 * (4 / 5 - 1)}
    )
    assert table["n"].tolist() == [2, 2, 2]
    assert table["class"].unique() == ["MF"]


def test_styles_leave_out_blanks_and_images_that_nobody_else_marked(tools):
    data = tools.data(
        bars([6, 3, 0], [4, 2, 8], [5, 0, 0]),
        [[True, True, False], [True, True, False], [True, True, True]],
        classes=2,
    )
    table = by(tables.rater_styles(data, **FEW), "rater")
    assert table.loc["a", "mean"] == pytest.approx(100)  # twice b; alone in the third image
    assert table.loc["a", "undefined"] == 1
    assert table.loc["b", "mean"] == pytest.approx(100 * (-1 / 2 - 1 / 2 - 1) / 3)
    assert table.loc["c", "mean"] == pytest.approx(-100)
    assert table.loc["c", "n"] == 1


def test_one_rater_has_no_style(tools):
    data = tools.data(bars([3], [4]), classes=2)
    table = tables.rater_styles(data, **FEW)
    assert table.empty
    assert {"rater", "class", "mean", "low", "high"} <= set(table)
    assert "one rater only" in raters_words.style_sentence(table)


def test_style_sentences(tools):
    steady = [[6, 4, 4], [3, 2, 2], [6, 4, 4], [3, 2, 2]]
    data = tools.data(bars(*steady), classes=2, raters=("anna", "bo", "cy"))
    words = raters_words.style_sentence(tables.rater_styles(data, **FEW))
    assert words == (
        "Compared with the others, and beyond the intervals, anna outlines more MF; bo outlines "
        "less MF; cy outlines less MF."
    )
    mixed = tools.data(bars([4, 2], [2, 4], [4, 2], [2, 4], [3, 3], [3, 3]), classes=2)
    words = raters_words.style_sentence(tables.rater_styles(mixed, **FEW))
    assert words.startswith("No rater outlines more or less than the others")
    one = tools.data(bars(*steady), classes=2, subject="p1")
    words = raters_words.style_sentence(tables.rater_styles(one, **FEW))
    assert words.startswith("All images are of one subject, so there are no intervals.")
    empty = tools.data(bars([0, 0], [0, 0]), classes=2)
    words = raters_words.style_sentence(tables.rater_styles(empty, **FEW))
    assert words.startswith("No structure is marked in an image that two raters rated")


# --- fusion ----------------------------------------------------------------------------------


def test_ties_and_staple_in_percent_of_the_marked_voxels(tools):
    rng = np.random.default_rng(3)
    labels = rng.choice([0, 0, 1, 2], (4, 2, 6, 6))
    labels[3] = 0  # nobody marked anything: left out
    data = tools.data(labels)
    table = by(tables.fusion_table(data, **FEW), "measure")
    ties, differs = [], []
    for pair in labels[:3]:
        marked = (pair > 0).any(axis=0).sum()
        ties.append(100 * (pair[0] != pair[1]).sum() / marked)  # two raters: any difference ties
        majority, staple = fusion.majority_vote(pair, 3), fusion.staple(pair, 3).labels
        differs.append(100 * (majority != staple).sum() / marked)
    assert table.loc["tie_rate", "mean"] == pytest.approx(np.mean(ties))
    assert table.loc["staple_differs", "mean"] == pytest.approx(np.mean(differs))
    assert table.loc["tie_rate", "n"] == 3
    words = raters_words.fusion_sentence(table.reset_index(), data)
    assert words.startswith("On average over images, of the voxels that any rater marked, ")
    assert f"{np.mean(ties):.2f} (95 % CI" in words
    assert words.endswith("(made by hand)")


def test_fusion_says_why_it_has_nothing_to_say(tools):
    alone = tools.data(bars([3], [4]), classes=2)
    table = tables.fusion_table(alone, **FEW)
    assert table.empty
    assert "one rater only" in raters_words.fusion_sentence(table, alone)
    empty = tools.data(bars([0, 0], [0, 0]), classes=2)
    table = tables.fusion_table(empty, **FEW)
    assert table.empty
    assert raters_words.fusion_sentence(table, empty) == (
        "No structure is marked in an image that two raters rated, so the share of tied votes is "
        "undefined."
    )


# --- blanks ----------------------------------------------------------------------------------


@pytest.fixture
def blanks(tools):
    """Both agree in the first image; b left the second blank; nobody rated the third."""
    rated = [[True, True], [True, False], [False, False]]
    return tools.data(bars([4, 4], [2, 0], [0, 0]), rated, classes=2)


def test_not_rated_against_rated_and_empty(blanks):
    table = by(tables.blank_table(blanks, **FEW), "measure", "blank")
    assert table["mean"].to_dict() == pytest.approx(
        {
            ("gt_entropy", "not rated"): 0,
            ("gt_entropy", "rated and empty"): (0 + LN2 * 2 / 8) / 2,
            ("pairwise_dice", "not rated"): 1,
            ("pairwise_dice", "rated and empty"): 1 / 2,
        }
    )
    assert table.loc[("gt_entropy", "not rated"), "n"] == 1
    assert table.loc[("gt_entropy", "rated and empty"), "n"] == 2
    words = raters_words.blank_sentence(table.reset_index(), blanks)
    assert words == (
        "1 blank among 4 ratings. Counting them as rated and empty changes the mean GT entropy "
        "from 0.0000 (no interval) to 0.0866 (95 % CI 0.0000 to 0.1733) and the mean Dice from "
        "1.000 (no interval) to 0.500 (95 % CI 0.000 to 1.000). An image of one rater has no GT "
        "entropy: 1 of the images have one, and 2 images once blanks count as empty."
    )


def test_without_blanks_the_question_does_not_arise(blanks, tools):
    full = tools.data(bars([4, 4], [2, 0]), classes=2)
    table = tables.blank_table(full, **FEW)
    assert table.empty
    assert {"measure", "blank", "mean"} <= set(table)
    assert raters_words.blank_sentence(table, full) == (
        "Every rater rated every image, so the question does not arise here."
    )
    some = blanks.select([0, 2])  # an image that nobody rated is no one's empty outline
    table = tables.blank_table(some, **FEW)
    assert table.empty
    assert "every image that anyone rated, so the question does not arise" in (
        raters_words.blank_sentence(table, some)
    )
    alone = tools.data(bars([3], [4]), [[True], [False]], classes=2)
    assert tables.blank_table(alone, **FEW).empty


# --- agreement and groups --------------------------------------------------------------------


def agreement(data):
    frame = frames.rater_frame(data)
    table = conditions.summarise(frame, "pairwise_dice", ["class"], **FEW)
    return raters_words.agreement_sentence(table, data)


def test_agreement_sentences(three, tools):
    words = agreement(three)
    assert words == (
        "The raters agree on MF with a Dice of 0.778 (no interval), most of all structures, and "
        "least on ES with 0.333 (no interval). (made by hand)"
    )
    one_class = tools.data(bars([4, 2], [0, 0], [3, 3]), classes=2)
    words = agreement(one_class)
    assert words.startswith("The raters agree on MF with a Dice of 0.833 (95 % CI 0.667 to 1.000).")
    assert (
        "1 value undefined (nobody to compare with, or a structure that no rater marked)" in words
    )
    assert "most" not in words
    alike = tools.data([[[[1, 2]], [[1, 2]]]])
    assert "MF with a Dice of 1.000 (no interval), and on every other structure alike" in (
        agreement(alike)
    )


def test_agreement_says_why_it_is_undefined(tools):
    assert "one rater only" in agreement(tools.data(bars([3], [4]), classes=2))
    apart = tools.data(bars([3, 0], [0, 4]), [[True, False], [False, True]], classes=2)
    assert "needs at least two raters of the same image" in agreement(apart)
    empty = tools.data(bars([0, 0], [0, 0]), classes=2)
    assert agreement(empty) == (
        "No structure is marked in an image that two raters rated, so Dice is undefined."
    )


def entropies(data, group):
    frame = frames.rater_frame(data)
    table = conditions.summarise(frame, "gt_entropy", group, **FEW)
    return raters_words.group_sentence(table, "GT entropy", group[0])


def test_group_sentences(tools):
    heights = [[8, 2], [3, 2]] * 4
    levels = ["L3", "S1"] * 4
    subjects = [f"p{i // 2}" for i in range(8)]
    data = tools.data(bars(*heights), classes=2, level=levels, subject=subjects)
    assert tables.groups(frames.rater_frame(data)) == ["level"]
    words = entropies(data, ["level"])
    assert re.fullmatch(
        r"GT entropy is highest for level L3, 0\.5199 \(95 % CI .*\) nats, and lowest for S1, "
        r"0\.0866 \(95 % CI .*\) nats; their intervals do not overlap\.",
        words,
    )
    turned = tools.data(
        bars(*heights[:4], *[[3, 2], [8, 2]] * 2),
        classes=2,
        level=levels,
        subject=subjects,
    )
    assert "the same for every level" in entropies(turned, ["level"])
    nearly = tools.data(
        bars(*heights[:4], [3, 2], [7, 2], [3, 2], [7, 2]),
        classes=2,
        level=levels,
        subject=subjects,
    )
    assert entropies(nearly, ["level"]).endswith("; their intervals overlap.")


def test_single_subjects_have_no_intervals_to_overlap(tools):
    data = tools.data(bars([8, 2], [3, 2]), classes=2)
    group = tables.groups(frames.rater_frame(data))
    assert group == ["subject"]
    words = entropies(data, group)
    assert "highest for subject p0, 0.5199 (no interval) nats" in words
    assert words.endswith("whether they differ by more than chance is open, for lack of intervals.")
    assert "overlap" not in words
    one = tools.data(bars([8, 2]), classes=2)
    assert entropies(one, ["subject"]) == (
        "GT entropy is 0.5199 (no interval) nats for subject p0."
    )
    assert "one rater only" in entropies(tools.data(bars([3], [4]), classes=2), ["subject"])


def test_a_single_level_is_no_grouping(tools):
    data = tools.data(bars([8, 2], [3, 2]), classes=2, level=["L3", "L3"])
    assert tables.groups(frames.rater_frame(data)) == ["subject"]
    assert tables.groups(pd.DataFrame({"subject": ["a"]})) == ["subject"]
