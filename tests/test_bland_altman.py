"""The Bland-Altman plot: its points, lines, axes and words."""

import numpy as np
import pandas as pd
import pytest

from paraspine import figures, statistics
from paraspine.arrays import SettingsError


@pytest.fixture
def frame():
    lines = [
        ("a and b", "MF", 300.0, 12.0), ("a and b", "ES", 900.0, -30.0),
        ("a and b", "MF", 500.0, np.nan), ("b and c", "MF", 400.0, 7.0),
    ]  # fmt: skip
    columns = ["pair", "class", "mean", "difference"]
    return pd.DataFrame(lines, columns=columns).assign(subject=list("pqrs"))


LIMITS = {
    "a and b": statistics.BlandAltman(-9.0, -67.2, 49.2, 29.7, 2),
    "b and c": statistics.BlandAltman(7.0, np.nan, np.nan, np.nan, 1),
}


def test_points_of_each_pair_and_structure(frame):
    figure = figures.bland_altman(frame, LIMITS, source="made up", unit="px")
    first, second, third = figure.data
    assert (first.name, list(first.x), list(first.y), first.xaxis) == ("MF", [300], [12], "x")
    assert (second.name, list(second.x), list(second.y), second.xaxis) == ("ES", [900], [-30], "x")
    assert (third.name, list(third.x), list(third.y), third.xaxis) == ("MF", [400], [7], "x2")
    assert [t.showlegend for t in figure.data] == [True, True, False]
    assert first.marker.color == third.marker.color != second.marker.color
    assert first.marker.symbol == third.marker.symbol != second.marker.symbol
    assert first.customdata[0][0] == "p"
    assert "mean %{x:.0f}, difference %{y:.0f} px" in first.hovertemplate


def test_lines_at_mean_difference_and_limits(frame):
    figure = figures.bland_altman(frame, LIMITS, source="made up")
    lines = [(s.xref, s.y0, s.y1, s.line.dash) for s in figure.layout.shapes]
    assert lines == [
        ("x domain", -9.0, -9.0, "solid"), ("x domain", -67.2, -67.2, "dash"),
        ("x domain", 49.2, 49.2, "dash"), ("x2 domain", 7.0, 7.0, "solid"),
    ]  # fmt: skip
    layout = figure.layout
    assert [a.text for a in layout.annotations] == ["a and b", "b and c"]
    assert layout.xaxis.title.text == layout.xaxis2.title.text == "mean of the two (mm²)"
    assert layout.yaxis.title.text == "first minus second (mm²)"
    assert (layout.yaxis2.matches, layout.xaxis2.matches) == ("y", "x")
    assert "made up" in layout.title.subtitle.text


def test_nothing_to_draw_and_a_missing_column(frame):
    none = figures.bland_altman(frame.assign(difference=np.nan), {}, source="made up")
    assert not none.data
    assert "No two measurements" in none.layout.annotations[0].text
    with pytest.raises(SettingsError, match="'mean'"):
        figures.bland_altman(frame.drop(columns="mean"), LIMITS, source="made up")
