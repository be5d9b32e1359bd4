"""Figures of candidates side by side hold what they were given, in order, and say what is lost."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from paraspine import figures, metrics
from paraspine.arrays import SettingsError, ShapeError

SOURCE = {"source": "synthetic phantom", "title": "t"}
NAMES = ("conventional-staple", "softseg-average", "softseg-random")


def estimate(value, low, high):
    return SimpleNamespace(value=value, low=low, high=high)


def scores():
    means = dict(zip(NAMES, (0.0, 2.0, -1.0), strict=True))
    parts = [
        pd.DataFrame({"condition": w, "subject": list("abcd"), "value": [m - 1, m, m + 1, np.nan]})
        for w, m in means.items()
    ]
    return pd.concat(parts, ignore_index=True)


def text_of(figure):
    return " ".join(a.text for a in figure.layout.annotations)


def test_violins_stand_from_the_best_mean_to_the_worst():
    figure = figures.score_violins(scores(), marks={"softseg-random": "*"}, **SOURCE)
    *violins, means = figure.data
    best = ["softseg-average", "conventional-staple", "softseg-random *"]
    assert [v.name for v in violins] == [b.removesuffix(" *") for b in best]
    assert list(figure.layout.yaxis.categoryarray) == best[::-1]  # the first is drawn at the top
    assert list(means.x) == pytest.approx([2, 0, -1])
    assert list(means.y) == best
    assert [len(v.x) for v in violins] == [3, 3, 3]
    assert "3 undefined scores left out" in figure.layout.title.subtitle.text
    colours = {v.name: v.line.color for v in violins}
    fewer = figures.score_violins(scores().query("condition != 'softseg-random'"), **SOURCE)
    assert {v.name: v.line.color for v in fewer.data[:2]}.items() <= colours.items()


def test_violins_without_a_score():
    figure = figures.score_violins(scores().assign(value=np.nan), **SOURCE)
    assert "No score" in text_of(figure)
    with pytest.raises(SettingsError, match="no column 'value'"):
        figures.score_violins(scores().rename(columns={"value": "score"}), **SOURCE)


def history(*losses):
    return pd.DataFrame({"epoch": range(1, len(losses) + 1), "validation_loss": losses})


def test_losses_of_a_kind_share_a_panel():
    histories = {
        "conventional": history(1.0, np.nan, 0.5),
        "softseg": history(20.0, 10.0, 8.0),
        "softseg, split 2": history(21.0, 12.0, 9.0),
        "no validation": history(np.nan, np.nan),
    }
    kinds = {n: "Adaptive Wing loss" for n in histories if "soft" in n}
    kinds["conventional"] = "Dice loss"
    figure = figures.validation_losses(histories, losses=kinds, **SOURCE)
    lines = {t.name: t for t in figure.data if t.mode == "lines"}
    assert set(lines) == {"conventional", "softseg", "softseg, split 2"}
    assert list(lines["conventional"].x) == [1, 3]
    assert list(lines["softseg"].y) == [20, 10, 8]
    assert lines["softseg"].yaxis == lines["softseg, split 2"].yaxis != lines["conventional"].yaxis
    titles = [a.title.text for a in figure.select_yaxes()]
    assert titles == ["Dice loss", "Adaptive Wing loss"]
    assert "not validated: no validation" in figure.layout.title.subtitle.text
    assert len({t.line.dash for t in lines.values()}) == 3


def test_losses_without_validation():
    figure = figures.validation_losses({"a": history(np.nan)}, **SOURCE)
    assert "no curve" in text_of(figure)
    with pytest.raises(SettingsError, match="no column 'validation_loss'"):
        figures.validation_losses({"a": pd.DataFrame({"epoch": [1]})}, **SOURCE)


def test_entropy_panels_share_one_scale():
    frame = pd.DataFrame(
        {
            "condition": ["a", "a", "b", "b"],
            "gt_entropy": [0.1, 0.2, 0.1, np.nan],
            "entropy": [0.05, 0.1, 0.4, 0.2],
        }
    )
    figure = figures.entropy_panels(frame, estimates={"a": estimate(0.075, 0.05, 0.1)}, **SOURCE)
    points = {t.name: t for t in figure.data if t.mode == "markers"}
    assert list(points["a"].y) == [0.05, 0.1]
    assert list(points["b"].x) == [0.1]
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        assert axis.range == pytest.approx((0, 0.42))
    assert sum(t.name == "equal entropies" for t in figure.data) == 2
    words = [a.text for a in figure.layout.annotations]
    assert words == ["a<br>MAE = 0.075 [0.050, 0.100]", "b", "GT entropy (nats)"]
    assert "1 without both entropies left out" in figure.layout.title.subtitle.text
    nothing = figures.entropy_panels(frame.assign(gt_entropy=np.nan), **SOURCE)
    assert "single rater" in text_of(nothing)


def test_reliability_panels_show_gaps_on_their_side():
    # Bin 3 of 4 is sure to 0.6 and right in 0.5; bin 4 sure to 0.8 and always right.
    probabilities = np.array([[0.6, 0.6, 0.8, 0.8], [0.4, 0.4, 0.2, 0.2]])
    curve = metrics.reliability(probabilities, [0, 1, 0, 0], bins=4)
    figure = figures.reliability_panels({"a": curve, "b": curve}, ece={"a": 0.15}, **SOURCE)
    bars = [t for t in figure.data if t.type == "bar"][:3]
    by = {t.name: t for t in bars}
    assert list(by["accuracy"].x) == pytest.approx([0.625, 0.875])
    assert list(by["accuracy"].y) == pytest.approx([0.5, 1.0])
    over, under = by["over-confident"], by["under-confident"]
    assert (over.x[0], over.base[0], over.y[0]) == pytest.approx((0.625, 0.5, 0.1))
    assert (under.x[0], under.base[0], under.y[0]) == pytest.approx((0.875, 0.8, 0.2))
    assert over.marker.color != under.marker.color
    listed = [t.name for t in figure.data if t.showlegend]
    assert sorted(listed) == ["accuracy", "calibrated", "over-confident", "under-confident"]
    assert [a.text for a in figure.layout.annotations][:2] == ["a<br>ECE = 0.150", "b"]


def test_six_panels_have_titles_only_at_the_edge():
    curve = metrics.reliability([[0.9, 0.2], [0.1, 0.8]], [0, 1])
    figure = figures.reliability_panels({f"c{i}": curve for i in range(5)}, **SOURCE)
    assert [bool(a.title.text) for a in figure.select_yaxes()] == [True, False, False, True, False]
    assert not any(a.title.text for a in figure.select_xaxes())  # one for all: an annotation
    shown = [a.showticklabels for a in figure.select_xaxes()]
    assert shown == [False, False, True, True, True]
    assert figure.layout.height > 500


def test_reliability_panels_of_nothing_and_what_does_not_fit():
    assert "No candidate" in text_of(figures.reliability_panels({}, **SOURCE))
    bad = SimpleNamespace(confidence=np.ones(3), accuracy=np.ones(2), count=np.ones(3))
    with pytest.raises(ShapeError, match="a confidence and accuracy"):
        figures.reliability_panels({"a": bad}, **SOURCE)
