"""Sentences say what the numbers say."""

import math

import pytest

from paraspine import text
from paraspine.arrays import SettingsError
from paraspine.statistics import Estimate


def test_numbers_never_print_a_negative_zero_or_nan():
    assert text.number(-0.001) == "0.00"
    assert text.number(-0.25, 1) == "-0.2"
    assert text.number(math.nan) == "undefined"
    assert text.number(math.inf) == "infinite"
    assert text.number(None) == "undefined"


@pytest.mark.parametrize(
    ("style", "whole", "alone"),
    [
        ("sentence", "0.50 (95 % CI 0.25 to 0.76)", "0.50 (no interval)"),
        ("cell", "0.50 (0.25 to 0.76)", "0.50 (no interval)"),
        ("quiet", "0.50 (0.25 to 0.76)", "0.50"),
        ("brackets", "0.50 [0.25, 0.76]", "0.50"),
    ],
)
def test_an_estimate_is_written_with_its_interval(style, whole, alone):
    spec = ".2f" if style == "sentence" else f".2f {style}"
    for estimate, expected in (
        (Estimate(0.5, 0.25, 0.755), whole),
        (Estimate(0.5), alone),
        (Estimate(0.5, 0.25), alone),
        (Estimate(math.nan, 0.25, 0.75), "undefined"),
    ):
        assert format(estimate, spec) == text.interval(estimate, 2, style) == expected
    assert text.cell(Estimate(1, -0.04, math.inf), 1) == "1.0 (0.0 to infinite)"


def test_formats_that_an_estimate_has_not():
    assert f"{Estimate(1.0)}" == str(Estimate(1.0))
    with pytest.raises(ValueError, match=r"'\.3f cell', got '\.3g'"):
        format(Estimate(1.0), ".3g")
    with pytest.raises(SettingsError, match="expected 'sentence', 'cell', 'quiet' or 'brackets'"):
        format(Estimate(1.0), ".3f wide")


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
    assert text.count(0, "rater") == "0 raters"
    assert text.p_value(0.0004) == "< 0.001"
    assert text.p_value(math.nan) == "undefined"
    assert text.percent(math.nan) == "undefined"
