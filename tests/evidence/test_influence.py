"""Leaving one subject out."""

import numpy as np
import pytest

from paraspine import statistics
from paraspine.evidence import influence

SUBJECTS = np.repeat([f"s{k}" for k in range(1, 9)], 3)


@pytest.fixture
def line():
    """x and y of eight subjects, of whom s7 alone makes r."""
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=24), generator.normal(size=24)
    x[18:21] += 6
    y[18:21] += 5
    return x, y


def without(subject, x, y):
    keep = subject != SUBJECTS
    return np.corrcoef(x[keep], y[keep])[0, 1]


def test_the_range_is_that_of_numpy_without_each_subject(line):
    found = influence.correlation(*line, SUBJECTS)
    left = {s: without(s, *line) for s in np.unique(SUBJECTS)}
    assert found.low == pytest.approx(min(left.values()))
    assert found.high == pytest.approx(max(left.values()))
    assert found.subject == "s7"
    assert found.without.value == pytest.approx(left["s7"])


def test_the_interval_without_a_subject_is_that_of_the_others(line):
    keep = SUBJECTS != "s7"
    x, y = line
    others = statistics.pearson(x[keep], y[keep], SUBJECTS[keep])
    every = influence.correlation(x, y, SUBJECTS)
    found = every.without
    assert found in every.each
    assert len(every.each) == len(np.unique(SUBJECTS))
    assert (found.low, found.high) == pytest.approx((others.low, others.high))


def test_one_subject_decides_where_the_interval_needs_it():
    values = np.repeat([1.0, 1.2, 0.9, 1.1, 1.3, 0.8], 2)
    subjects = np.repeat(list("abcdef"), 2)
    assert influence.mean(values, subjects).decided_by == ()
    assert influence.mean(-values, subjects).decided_by == ()
    few = np.repeat([0.1, 0.05, 0.2, 0.1, -0.1, 1.3], 2)
    shown = statistics.mean_interval(few, subjects)
    assert shown.low > 0
    assert "f" in influence.mean(few, subjects).decided_by
    assert "f" in influence.mean(-few, subjects).decided_by
    assert influence.mean(few, subjects, null=shown.value).decided_by == ()


def test_a_difference_and_a_ratio_worked_out_by_hand():
    a, b = np.array([3.0, 5.0, 4.0, 9.0]), np.array([1.0, 2.0, 2.0, 1.0])
    subjects = np.array(["p", "p", "q", "r"])
    difference = influence.difference(a, b, subjects)  # 2 3 | 2 | 8, mean 3.75
    assert (difference.low, difference.high) == pytest.approx((7 / 3, 5.0))
    assert difference.subject == "r"
    ratio = influence.ratio(a, b, subjects)  # 21 / 6
    assert (ratio.low, ratio.high) == pytest.approx((12 / 5, 13 / 3))
    assert (ratio.subject, ratio.without.value) == ("r", pytest.approx(2.4))


def test_images_without_a_value_and_their_subjects_take_no_part():
    values = np.array([1.0, 2.0, np.nan, 9.0, np.nan])
    found = influence.mean(values, ["p", "q", "q", "r", "empty"])
    assert (found.low, found.high, found.subject) == (1.5, 5.5, "r")


@pytest.mark.parametrize("subjects", [["p"] * 4, []])
def test_nothing_is_known_of_fewer_than_two_subjects(subjects):
    found = influence.mean(np.arange(float(len(subjects))), subjects)
    assert np.isnan(found.low)
    assert (found.subject, found.decided_by) == ("", ())
    assert found.words() == "unknown without one subject"


def test_columns_and_words_name_the_subject(line):
    found = influence.correlation(*line, SUBJECTS)
    columns = found.columns()
    assert (columns["without_low"], columns["without_high"]) == (found.low, found.high)
    assert (columns["moved_by"], columns["moved_to"]) == ("s7", found.without.value)
    assert "s7" in columns["decided_by"]
    assert found.words(1) == (
        f"{found.low:.1f} to {found.high:.1f} leaving one subject out, "
        f"{found.without.value:.1f} without s7"
    )
