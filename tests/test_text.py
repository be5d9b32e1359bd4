"""Sentences say what the numbers say."""

import math
from dataclasses import dataclass

import pytest

from paraspine import text


@dataclass
class Estimate:
    value: float
    low: float = math.nan
    high: float = math.nan


def test_numbers_never_print_a_negative_zero_or_nan():
    assert text.number(-0.001) == "0.00"
    assert text.number(-0.25, 1) == "-0.2"
    assert text.number(math.nan) == "undefined"
    assert text.number(math.inf) == "infinite"
    assert text.number(None) == "undefined"


def test_interval_says_when_there_is_none():
    assert text.interval(Estimate(0.5, 0.25, 0.755)) == "0.50 (95 % CI 0.25 to 0.76)"
    assert text.interval(Estimate(0.5)) == "0.50 (no interval)"
    assert text.interval(Estimate(math.nan)) == "undefined"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.3, "above"), (-0.3, -0.1, "below"), (-0.1, 0.1, "not told apart from")],
)
def test_verdict_goes_by_the_interval(low, high, expected):
    assert text.verdict(Estimate((low + high) / 2, low, high)) == expected


def test_an_undefined_interval_decides_nothing():
    assert text.verdict(Estimate(3.0), unclear="unclear") == "unclear"


def test_lists_and_counts():
    assert text.listing([]) == ""
    assert text.listing(["a"]) == "a"
    assert text.listing("ab", last="or") == "a or b"
    assert text.count(1234, "voxel") == "1,234 voxels"
    assert text.p_value(0.0004) == "< 0.001"
    assert text.p_value(math.nan) == "undefined"
    assert text.percent(math.nan) == "undefined"
