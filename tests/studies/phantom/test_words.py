"""Sentences on the phantom and patients, both ways."""

import numpy as np
import pandas as pd
import pytest

from paraspine.statistics import Estimate
from paraspine.studies.phantom import words
from tests.studies.both_ways import both_ways

FITTED = "within the interquartile range of the 411 patients to whose masks they were fitted"


def shapes(*inside):
    return pd.DataFrame({"shape": ["MF area", "ES area", "MF:ES"], "inside": inside})


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        (
            (True, True, True),
            f"**In shape, yes: it was made from them.** All 3 median shapes lie {FITTED}. ",
        ),
        ((False, True, True), f"**In part.** 2 of 3 median shapes lie {FITTED}, 1 outside. "),
        ((False,) * 3, f"**Not even in shape.** None of 3 median shapes lies {FITTED}. "),
    ],
)
def test_shapes_in_words(inside, said):
    assert words.shape_sentence(shapes(*inside)) == said + words.NOT_COMPARED


def volumes(*apart):
    return pd.DataFrame({"muscle": ["MF", "ES", "PM"], "apart": apart})


@pytest.mark.parametrize("sign", [1, -1])
def test_near_volumes_are_within_what_the_sentence_says(sign):
    said = words.volume_sentence(volumes(0.1, sign * 0.24, -sign * 0.2))
    assert said.startswith("Mean volumes are within 0.3 standard deviations of those of 76 people")


def test_far_volumes_name_the_muscle_and_its_side():
    said = both_ways(
        lambda sign: words.volume_sentence(volumes(sign * 0.2, sign * 1.26, -sign * 1.1)),
        "deviations above that",
        "deviations below that",
    )
    assert said == "The mean volume of ES is 1.3 standard deviations above that of 76 people."


AGES = np.arange(30, 54, 2)
FAT = [0.02, 0.05, 0.03, 0.08, 0.07, 0.2, 0.15, 0.3, 0.25, 0.6, 0.55, 0.9]


def people(fat):
    grades = 1 + (np.asarray(fat) > 0.1) + (np.asarray(fat) > 0.5)
    return pd.DataFrame({"age": AGES[: len(fat)], "fat": fat, "goutallier": grades})


def test_fat_and_age_in_words():
    said = both_ways(
        lambda sign: words.fat_sentence(people(FAT[::sign])), "It rises with age", "It falls with"
    )
    assert said.startswith(
        "Fatty infiltration of multifidus and erector spinae (simplified Goutallier): 12 subjects, "
        "5 grade I, 4 grade II and 3 grade III. It rises with age: Spearman's *ρ* = 0.97 (95 % CI "
    )


def test_the_range_over_leaving_one_subject_out_is_that_of_scipy():
    from scipy.stats import spearmanr

    left = [spearmanr(np.delete(AGES, k), np.delete(FAT, k)).statistic for k in range(12)]
    said = words.fat_sentence(people(FAT))
    assert said.endswith(f"; {min(left):.2f} to {max(left):.2f} without any one subject.")


def test_fat_without_trend_and_with_three_subjects():
    mixed = [0.3, 0.05, 0.6, 0.02, 0.7, 0.2, 0.4, 0.1, 0.35, 0.3, 0.04, 0.5]
    assert "The subjects can't tell whether it" in words.fat_sentence(people(mixed))
    assert "without any" not in words.fat_sentence(people(FAT[:3]))


def test_one_subject_that_decides_is_said(monkeypatch):
    def rho(ages, fat):  # it holds with all subjects, and without any but the last
        return Estimate(0.5, 0.1 if AGES[11] in set(ages) else -0.1, 0.8)

    monkeypatch.setattr(words.statistics, "spearman", rho)
    said = words.fat_sentence(people(FAT))
    assert "Whether it changes with age, one subject decides: Spearman's" in said
    assert "rises" not in said


def test_a_subject_who_hides_a_trend_does_not_make_one(monkeypatch):
    def rho(ages, fat):  # it shows without the first alone
        return Estimate(0.5, -0.1 if AGES[0] in set(ages) else 0.1, 0.8)

    monkeypatch.setattr(words.statistics, "spearman", rho)
    assert "The subjects can't tell" in words.fat_sentence(people(FAT))


def test_agreement_by_level_in_words():
    rows = [
        ("L4-L5", "MF", 0.954, 0.94, 0.96),
        ("L4-L5", "ES", 0.93, 0.92, 0.94),
        ("S1", "MF", 0.91, 0.9, 0.92),
        ("S1", "ES", 0.85, 0.8, 0.88),
        ("S1", "PM", np.nan, np.nan, np.nan),
    ]
    table = pd.DataFrame(rows, columns=["level", "class", "mean", "low", "high"])
    assert words.level_sentence(table) == (
        "Two raters agree least on ES at S1, Dice 0.85 (95 % CI 0.80 to 0.88), and most on MF at "
        "L4-L5, 0.95 (0.94 to 0.96)."
    )
    assert "one rater only" in words.level_sentence(table.assign(mean=np.nan))


def test_what_was_found():
    said = words.summary(shapes(True, False, True), volumes(0.2, -1.2, 1.0))
    assert said.startswith(
        "- Fitted to patients: 2 of 3 median shapes lie within their interquartile range, 2 of 3 "
        f"mean volumes within one standard deviation.\n- {words.NOT_COMPARED} What other chapters"
    )
