"""Small multiples show every estimate, with its interval, in the panel where it belongs."""

import numpy as np
import pandas as pd
import pytest

from paraspine.arrays import SettingsError
from paraspine.figures import small_multiples


def frame():
    return pd.DataFrame(
        [
            (x, g, p, i + 10 * (g == "b"), i - 1, i + 12)
            for i, x in enumerate((2, 10, "mixed"))
            for g in ("a", "b", "expected")
            for p in ("first", "second", "third")
        ],
        columns=["x", "g", "p", "value", "low", "high"],
    )


def drawn(table, **options):
    words = {"x_title": "x", "title": "t", "source": "made by hand"}
    return small_multiples(table, "x", group="g", panel="p", **{**words, **options})


def test_every_estimate_is_drawn_with_its_interval():
    figure = drawn(frame(), columns=2)
    assert len(figure.data) == 9
    trace = next(t for t in figure.data if t.name == "b")
    assert list(trace.y) == [10, 11, 12]
    assert list(trace.error_y.array) == [2, 2, 2]
    assert list(trace.error_y.arrayminus) == [11, 11, 11]
    assert list(np.rint(trace.x)) == [0, 1, 2]  # evenly spaced, in order of appearance
    assert list(figure.layout.xaxis.ticktext) == ["2", "10", "mixed"]
    titles = [a.text for a in figure.layout.annotations[:3]]
    assert titles == ["first", "second", "third"]
    assert "made by hand" in figure.layout.title.subtitle.text
    assert sum(t.showlegend for t in figure.data) == 3  # each group once


def test_theory_has_no_points_and_no_intervals():
    figure = drawn(frame(), theory=["expected"])
    theory = [t for t in figure.data if t.name == "expected"]
    assert {t.mode for t in theory} == {"lines"}
    assert not any(t.error_y.visible for t in theory)
    dashes = {t.line.dash for t in figure.data if t.name != "expected"}
    assert "dash" not in dashes


def test_undefined_values_are_left_out():
    table = frame()
    table.loc[table["g"] == "a", "value"] = np.nan
    assert {t.name for t in drawn(table).data} == {"b", "expected"}
    empty = drawn(table.assign(value=np.nan))
    assert empty.layout.annotations[0].text == "No estimate."


def test_one_axis_for_all_or_one_each():
    assert drawn(frame()).layout.yaxis2.matches == "y"
    assert drawn(frame(), same_scale=False).layout.yaxis2.matches is None
    lines = drawn(frame(), reference=0).layout.shapes
    assert len(lines) == 3


def test_a_missing_column_is_named():
    with pytest.raises(SettingsError, match="'p'"):
        drawn(frame().drop(columns="p"))
