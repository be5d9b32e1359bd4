"""When a result lies on one side of 0 for sure, and the words on leaving one subject out."""

import pytest

from paraspine.evidence.limits import side
from paraspine.evidence.words import without


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"low": 0.1, "high": 0.3}, 1),
        ({"low": -0.3, "high": -0.1}, -1),
        ({"low": -0.1, "high": 0.3}, 0),
        ({"low": 0.0, "high": 0.3}, 0),
        ({"low": float("nan"), "high": float("nan")}, 0),
        ({"low": 0.1, "high": 0.3, "clusters": 6, "decided_by": ""}, 1),
        ({"low": 0.1, "high": 0.3, "clusters": 5}, 0),
        ({"low": -0.3, "high": -0.1, "decided_by": "sub-008"}, 0),
    ],
)
def test_side_of_zero(row, expected):
    assert side(row) == expected


def test_words_on_leaving_one_out():
    row = {"without_low": 0.0123, "without_high": 0.0251}
    assert without(row, 2) == "; 0.01 to 0.03 without any one subject"
    assert without(row, 1, 100) == "; 1.2 to 2.5 without any one subject"
    assert without({"without_low": float("nan"), "without_high": float("nan")}, 2) == ""
    assert without({}, 2) == ""
