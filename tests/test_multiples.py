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
    # Evenly spaced, in order of appearance; the word among numbers stands apart, without a line.
    np.testing.assert_array_equal(trace.y, [10, 11, np.nan, 12, np.nan])
    np.testing.assert_array_equal(np.rint(np.array(trace.x, float)), [0, 1, np.nan, 2, np.nan])
    assert not trace.connectgaps
    assert [trace.error_y.array[i] for i in (0, 1, 3)] == [2, 2, 2]
    assert [trace.error_y.arrayminus[i] for i in (0, 1, 3)] == [11, 11, 11]
    assert trace.customdata[3].tolist() == ["mixed", " [1.000, 14.000]"]
    assert list(figure.layout.xaxis.ticktext) == ["2", "10", "mixed"]
    titles = [a.text for a in figure.layout.annotations[:3]]
    assert titles == ["first", "second", "third"]
    assert "made by hand" in figure.layout.title.subtitle.text
    assert sum(t.showlegend for t in figure.data) == 3  # each group once
    assert len({t.marker.symbol for t in figure.data}) == 3
    assert figure.layout.annotations[3].text == "x"  # one title for all columns
    words = drawn(frame().assign(x=np.repeat(["0 mm", "5 mm", "image"], 9)))
    assert list(np.rint(words.data[0].x)) == [0, 1, 2]


def test_a_long_legend_does_not_hide():
    table = frame()
    many = pd.concat([table.assign(g=table["g"] + f", a long name {i}") for i in range(4)])
    few, more = (drawn(t).layout for t in (table, many))
    assert more.height > few.height + 50
    assert more.height - more.margin.b - more.margin.t == few.height - few.margin.b - few.margin.t


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
