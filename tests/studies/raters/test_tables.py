"""Tables about raters: images worked out by hand; icc21 and staple as judges."""

import numpy as np
import pandas as pd
import pytest

from paraspine import figures, frames, fusion, statistics
from paraspine.evidence.limits import side
from paraspine.studies.raters import tables, views
from tests.studies.raters.shapes import bars

LN2 = np.log(2)


def by(table, *names):
    """Rows of a table by the values of some columns."""
    return table.set_index(list(names) if len(names) > 1 else names[0])


def test_the_column_that_groups_images(tools):
    labels = bars([8, 2], [3, 2])
    levels = frames.rater_frame(tools.data(labels, classes=2, level=["L3", "S1"]))
    assert tables.group_column(levels) == "level"
    one = frames.rater_frame(tools.data(labels, classes=2, level=["L3", "L3"]))
    assert tables.group_column(one) == "subject"
    assert tables.group_column(pd.DataFrame({"subject": ["a"]})) == "subject"


def test_difference_of_groups_by_hand():
    frame = pd.DataFrame(
        {
            "subject": ["p", "p", "q", "q", "r"],
            "level": ["L3", "S1", "L3", "S1", "S1"],
            "value": [5.0, 1.0, 2.0, 4.0, 1.0],
        }
    )
    found = tables.group_difference(frame, "level", "L3", "S1")
    assert found["mean"] == pytest.approx(3.5 - 2)
    # without p, q and r: 2 - 2.5, 5 - 1, 3.5 - 2.5
    assert (found["without_low"], found["without_high"]) == pytest.approx((-0.5, 4.0))
    assert found["moved_by"] == "q"
    assert found["low"] <= -2  # q alone, twice or thrice


# --- areas -----------------------------------------------------------------------------------


@pytest.fixture
def rated(tools):
    """Three raters; the second image has two; what nobody marked, and what one did."""
    labels = bars([6, 4, 5], [3, 0, 1], [0, 0, 0], [0, 2, 0])
    rated = [[True] * 3, [True, False, True], [True] * 3, [True] * 3]
    return tools.data(labels, rated, classes=2, spacing=(0.5, 3.0), raters=("anna", "bo", "cy"))


def test_areas_are_pixels_times_spacing_of_those_who_rated(rated):
    frame = tables.area_frame(rated)
    found = by(frame, "subject", "rater")["value"]
    row = 4 * 0.5 * 3.0
    assert found["p0"].to_dict() == {"anna": 6 * row, "bo": 4 * row, "cy": 5 * row}
    assert found["p1"].to_dict() == {"anna": 3 * row, "cy": 1 * row}
    assert set(frame["measure"]) == {"area"}


def test_pairs_of_areas_and_their_limits(rated):
    pairs = tables.area_pairs(tables.area_frame(rated))
    found = by(pairs, "pair", "subject")[["mean", "difference"]]
    assert found.loc[("anna and bo", "p0")].tolist() == [30, 12]
    assert found.loc[("anna and cy", "p1")].tolist() == [12, 12]
    assert found.loc[("bo and cy", "p0")].tolist() == [27, -6]
    assert found.loc[("bo and cy", "p3")].tolist() == [6, 12]
    assert len(found) == 6  # where neither marked anything there is nothing to compare
    limits = tables.area_limits(pairs)["anna and cy"]
    expected = statistics.bland_altman([36.0, 18.0], [30.0, 6.0])
    assert (limits.bias, limits.low, limits.high) == (9, expected.low, expected.high)
    assert limits.low < 9 < limits.high
    table = by(tables.bias_table(pairs), "pair")
    assert table.loc["anna and cy", ["n", "mean", "area"]].tolist() == [2, 9, 22.5]
    assert table.loc["anna and cy", ["lower", "upper"]].tolist() == [limits.low, limits.high]


def test_one_rater_has_no_pairs(tools):
    areas = tables.area_frame(tools.data(bars([3], [4]), classes=2))
    pairs = tables.area_pairs(areas)
    assert pairs.empty
    assert tables.area_limits(pairs) == {}
    assert tables.icc_table(areas).empty
    figure = figures.bland_altman(pairs, {}, source="made by hand")
    assert "No two measurements" in figure.layout.annotations[0].text


def areas_of(seed=0, subjects=8, images=3):
    """Areas of two structures by three raters, the second of whom outlines more."""
    rng = np.random.default_rng(seed)
    lines = []
    for k in range(subjects):
        for image in range(images):
            for name, spread in (("MF", 30.0), ("ES", 5.0)):
                true = 300 + 20 * k + 10 * rng.standard_normal()
                for r, rater in enumerate(("anna", "bo", "cy")):
                    value = true + 8 * (r == 1) + spread * rng.standard_normal()
                    lines.append((f"s{k}", f"{image}", 0, name, rater, value))
    columns = ["subject", "image", "slice", "class", "rater", "value"]
    return pd.DataFrame(lines, columns=columns)


def test_icc_of_sums_is_that_of_statistics():
    areas = areas_of()
    table = by(tables.icc_table(areas), "class")
    for name, own in areas.groupby("class"):
        wide = own.pivot(index=["subject", "image"], columns="rater", values="value").to_numpy()
        assert table.loc[name, "icc"] == pytest.approx(statistics.icc21(wide).value)
    assert table.loc["ES", "icc"] > table.loc["MF", "icc"]
    assert table["clusters"].tolist() == [8, 8]


def test_icc_without_a_subject_is_that_of_the_others():
    areas = areas_of()
    row = by(tables.icc_table(areas), "class").loc["MF"]
    left = {}
    for name in areas["subject"].unique():
        others = areas[(areas["subject"] != name) & (areas["class"] == "MF")]
        wide = others.pivot(index=["subject", "image"], columns="rater", values="value")
        left[name] = statistics.icc21(wide).value
    assert row["without_low"] == pytest.approx(min(left.values()))
    assert row["without_high"] == pytest.approx(max(left.values()))
    assert row["icc_low"] < row["without_low"]
    assert row["icc_high"] < 1


def test_icc_over_images_that_all_rated():
    areas = areas_of()
    missing = areas[(areas["rater"] != "cy") | (areas["image"] != "0")]
    assert tables.icc_table(missing)["n"].tolist() == [16, 16]
    few = areas[(areas["subject"] == "s0") & (areas["image"] == "1")]
    assert tables.icc_table(few).empty


def test_rows_of_the_table_end_with_the_published_raters():
    agreement = pd.DataFrame({"class": ["ES", "PM"], "mean": [0.9, 0.8], "n": [7, 6]})
    found = by(views.agreement_rows(agreement, tables.icc_table(areas_of())), "class")
    assert list(found.index) == ["ES", "PM", "published, at least"]
    assert found.loc["published, at least", ["mean", "icc"]].tolist() == [0.904, 0.94]
    assert found["images"].tolist() == ["7", "6", "–"]
    assert found["lowest"].tolist()[1:] == ["undefined", "–"]
    assert found.loc["ES", "lowest"].startswith("0.9")


# --- styles ----------------------------------------------------------------------------------


def styles(data):
    return tables.rater_styles(tables.area_frame(data), data.raters)


def test_a_raters_style_is_the_excess_over_the_mean_of_all(tools):
    data = tools.data(bars([6, 4, 4], [3, 2, 2]), classes=2, spacing=(0.5, 3.0))
    table = by(styles(data), "rater")
    assert table["mean"].to_dict() == pytest.approx({"a": 200 / 7, "b": -100 / 7, "c": -100 / 7})
    assert table["n"].tolist() == [2, 2, 2]
    assert table["class"].unique() == ["MF"]
    assert table["without_low"].to_dict() == pytest.approx(
        {"a": 200 / 7, "b": -100 / 7, "c": -100 / 7}
    )


def test_styles_leave_out_blanks(tools):
    data = tools.data(
        bars([6, 3, 0], [4, 2, 8], [5, 0, 0]),
        [[True, True, False], [True, True, False], [True, True, True]],
        classes=2,
    )
    table = by(styles(data), "rater")
    assert table.loc["a", "mean"] == pytest.approx(100 * (1 / 3 + 1 / 3 + 2) / 3)
    assert table.loc["b", "mean"] == pytest.approx(100 * (-1 / 3 - 1 / 3 - 1) / 3)
    assert table.loc["c", "mean"] == pytest.approx(-100)
    assert table.loc["c", "n"] == 1


def test_styles_keep_the_order_of_structures_and_one_rater_has_none(tools):
    labels = np.zeros((2, 2, 3, 4))
    labels[:, :, 0], labels[:, :, 1] = 2, 1
    labels[:, 0, 2] = 2
    table = styles(tools.data(labels, raters=("zoe", "al")))
    keys = list(table[["rater", "class"]].itertuples(index=False, name=None))
    assert keys == [("zoe", "MF"), ("al", "MF"), ("zoe", "ES"), ("al", "ES")]
    assert table["mean"].tolist() == pytest.approx([0, 0, 100 / 3, -100 / 3])
    none = styles(tools.data(bars([3], [4]), classes=2))
    assert none.empty
    assert {"rater", "class", "mean", "low", "high"} <= set(none)


def test_raters_who_are_shuffled_have_no_style():
    """Areas that differ widely, each given to a rater by chance: more and less are rare."""
    rng, told = np.random.default_rng(8), {1: 0, -1: 0, 0: 0}
    for _ in range(40):
        areas = rng.lognormal(3, 0.6, (24, 1)) * rng.lognormal(0, 0.7, (24, 3))
        frame = pd.DataFrame(
            [{"subject": i, "image": i, "slice": 0, "class": "MF", "rater": r, "value": v}
             for i, row in enumerate(areas) for r, v in zip("abc", row, strict=True)]
        )  # fmt: skip
        for row in tables.rater_styles(frame, "abc").to_dict("records"):
            told[side(row)] += 1
    assert told[1] <= 9
    assert told[-1] <= 9


# --- fusion and blanks -----------------------------------------------------------------------


def test_disputed_tied_and_staple_in_percent_of_the_marked_voxels(tools):
    rng = np.random.default_rng(3)
    labels = rng.choice([0, 0, 1, 2], (4, 3, 6, 6))
    labels[3] = 0  # nobody marked anything: left out
    table = by(tables.fusion_table(tools.data(labels)), "measure")
    found = {"disputed": [], "tie_rate": [], "staple_differs": []}
    for three in labels[:3]:
        marked = (three > 0).any(axis=0).sum()
        kinds = np.array([[len(set(three[:, i, j])) for j in range(6)] for i in range(6)])
        found["disputed"].append(100 * (kinds > 1).sum() / marked)
        found["tie_rate"].append(100 * (kinds == 3).sum() / marked)
        majority, staple = fusion.majority_vote(three, 3), fusion.staple(three, 3).labels
        found["staple_differs"].append(100 * (majority != staple).sum() / marked)
    assert table["mean"].to_dict() == pytest.approx({k: np.mean(v) for k, v in found.items()})
    assert table["n"].tolist() == [3, 3, 3]
    assert tables.fusion_table(tools.data(bars([3], [4]), classes=2)).empty
    assert tables.fusion_table(tools.data(bars([0, 0]), classes=2)).empty


def test_blanks_not_rated_against_rated_and_empty(tools):
    rated = [[True, True], [True, False], [False, False]]
    blanks = tools.data(bars([4, 4], [2, 0], [0, 0]), rated, classes=2)
    table = by(tables.blank_table(blanks), "measure", "blank")
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
    full = tables.blank_table(tools.data(bars([4, 4], [2, 0]), classes=2))
    assert full.empty
    assert {"measure", "blank", "mean"} <= set(full)
    assert tables.blank_table(blanks.select([0, 2])).empty


# --- STAPLE ----------------------------------------------------------------------------------


def noisy(images=4, raters=3):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (images, 1, 16, 16))
    wrong = rng.random((images, raters, 16, 16)) < np.array([0.05, 0.15, 0.25])[:raters, None, None]
    return np.where(wrong, rng.integers(0, 3, wrong.shape), truth).astype(np.uint8)


def test_each_image_is_staples_own_and_raters_are_told_apart(tools):
    rated = np.ones((4, 3), bool)
    rated[1, 0] = rated[2, 1] = rated[2, 2] = False
    data = tools.data(noisy(), rated)
    frame = tables.staple_frame(data)
    assert frame["subject"].tolist() == ["p0", "p1", "p3"]  # one rater alone is left out
    for row in frame.to_dict("records"):
        item = int(row["subject"][1])
        found = fusion.staple(data.labels[item][rated[item]], 3)
        for name in ("converged", "iterations", "undecided", "inverted"):
            assert row[name] == getattr(found, name)
        own = row["sensitivity"][rated[item]]
        assert own == pytest.approx(np.diagonal(found.confusion, axis1=1, axis2=2))
        assert np.isnan(row["sensitivity"][~rated[item]]).all()
    table = by(tables.staple_raters(frame, data), "rater", "class")
    means = table["mean"]
    assert 100 > means["a", "MF"] > means["b", "MF"] > means["c", "MF"] > 50
    own = [100 * row["sensitivity"][0, 2] for row in frame.to_dict("records")]
    assert means["a", "ES"] == pytest.approx(np.nanmean(own))
    assert table.loc[("a", "MF"), ["n", "undefined"]].tolist() == [2, 1]
    one = tools.data(noisy(raters=1))
    assert tables.staple_frame(one).empty
    assert tables.staple_raters(tables.staple_frame(one), one).empty


def blocks(tools, heights, **columns):
    """Raters whose blocks of 6 columns end in a row of their own, on 40 x 12 pixels."""
    rows, cols = np.mgrid[:40, :12]
    inside = (cols >= 3) & (cols < 9) & (rows >= 10)
    labels = [[inside & (rows < 10 + h) for h in image] for image in heights]
    return tools.data(np.asarray(labels, np.uint8), classes=2, spacing=(0.5, 2.0), **columns)


def test_each_extent_is_staples_own(tools):
    data = blocks(tools, [(8, 10, 12), (6, 9, 9)])
    frame = tables.extent_frame(data, (0, 4))
    given = {
        "whole image": {},
        "union + 4 mm": {"extent": "foreground", "margin": 4, "spacing": (0.5, 2.0)},
        "union": {"extent": "foreground"},
    }
    assert list(dict.fromkeys(frame["extent"])) == list(given)
    cells = by(frame, "extent", "measure", "class", "subject")["value"]
    for name, options in given.items():
        for item, labels in enumerate(data.labels):
            found, whole = fusion.staple(labels, 2, **options), fusion.staple(labels, 2)
            marked, voted = labels.any(axis=0).sum(), fusion.majority_vote(labels, 2).sum()
            assert cells[name, :, :, f"p{item}"].to_dict() == pytest.approx(
                {
                    ("area", "MF"): 100 * (found.labels.sum() / voted - 1),
                    ("sensitivity", "MF"): 100 * found.confusion[:, 1, 1].mean(),
                    ("specificity", "all"): 100 * found.confusion[:, 0, 0].mean(),
                    ("changed", "all"): 100 * (found.labels != whole.labels).sum() / marked,
                    ("converged", "all"): 1,
                }
            )


def test_curves_over_margins(tools):
    frame = tables.extent_frame(blocks(tools, [(8, 10, 12), (6, 9, 9)]), (0, 4))
    curves = views.extent_curves(frame)
    assert list(dict.fromkeys(curves["margin"])) == ["image", "4 mm", "0 mm"]
    assert set(curves["panel"]) == set(views.PANELS.values())
    chosen = frame[(frame["measure"] == "area") & (frame["extent"] == "union")]
    own = curves[(curves["panel"] == "area beyond the majority's (%)")]
    assert own[own["margin"] == "0 mm"]["value"].item() == pytest.approx(chosen["value"].mean())
    figure = figures.small_multiples(
        curves, "margin", source="made by hand", group="class", panel="panel", x_title="margin",
        title="Which voxels take part", same_scale=False,
    )  # fmt: skip
    assert {t.name for t in figure.data} == {"MF", "all"}


def test_extents_leave_out_single_raters_and_empty_images(tools):
    assert tables.extent_frame(blocks(tools, [(8,), (6,)])).empty
    some = blocks(tools, [(8, 9), (6, 6)], rated=[[True, True], [True, False]])
    assert set(tables.extent_frame(some)["subject"]) == {"p0"}
    empty = tables.extent_frame(blocks(tools, [(0, 0), (0, 0)]), [0])
    assert frames.rows(empty, "area")["value"].isna().all()
    assert frames.rows(empty, "changed")["value"].isna().all()
