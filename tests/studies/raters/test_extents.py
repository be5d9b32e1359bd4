"""How the spatial extent changes STAPLE: worked answers, words in every direction."""

import numpy as np
import pandas as pd
import pytest

from paraspine import figures, fusion
from paraspine.studies.raters import extents

FEW = {"resamples": 200}


def blocks(tools, heights, **columns):
    """Raters whose blocks of 6 columns end in a row of their own, on 40 x 12 pixels."""
    rows, cols = np.mgrid[:40, :12]
    inside = (cols >= 3) & (cols < 9) & (rows >= 10)
    labels = [[inside & (rows < 10 + h) for h in image] for image in heights]
    return tools.data(np.asarray(labels, np.uint8), classes=2, spacing=(0.5, 2.0), **columns)


def test_each_extent_is_staples_own(tools):
    data = blocks(tools, [(8, 10, 12), (6, 9, 9)])
    frame = extents.extent_frame(data, (0, 4))
    names = ["whole image", "foreground + 4 mm", "foreground"]
    assert list(dict.fromkeys(frame["extent"])) == names
    cells = frame.set_index(["extent", "measure", "class", "subject"])["value"]
    options = [{}, {"extent": "foreground", "margin": 4, "spacing": (0.5, 2.0)}, {}]
    options[2] = {"extent": "foreground"}
    for name, given in zip(names, options, strict=True):
        for item, labels in enumerate(data.labels):
            found, whole = fusion.staple(labels, 2, **given), fusion.staple(labels, 2)
            voted = fusion.majority_vote(labels, 2)
            own = cells[name, :, :, f"p{item}"]
            expected = {
                ("area", "MF"): 100 * (found.labels.sum() / voted.sum() - 1),
                ("sensitivity", "MF"): 100 * found.confusion[:, 1, 1].mean(),
                ("specificity", "all"): 100 * found.confusion[:, 0, 0].mean(),
                ("changed", "all"): 100
                * (found.labels != whole.labels).sum()
                / labels.any(axis=0).sum(),
                ("converged", "all"): 1,
            }
            for key, value in expected.items():
                assert own[key] == pytest.approx(value), (name, key)
    table = extents.extent_table(frame, **FEW)
    assert table.groupby("extent")["n"].unique().map(list).to_dict() == {n: [2] for n in names}
    curves = extents.extent_curves(table)
    assert curves["panel"].nunique() == 4
    assert list(dict.fromkeys(curves["margin"])) == ["image", "4 mm", "0 mm"]
    figure = figures.small_multiples(
        curves, "margin", source=data.source, group="class", panel="panel", x_title="margin",
        title="Which voxels take part", same_scale=False,
    )  # fmt: skip
    assert {t.name for t in figure.data} == {"MF", "all"}


def test_words_in_every_direction(tools):
    # Two of three mark the same: with the whole image the third is simply wrong. With the
    # foreground alone, agreement on background is no longer there to make them specific.
    data = blocks(tools, [(8, 8, 12), (6, 6, 9), (9, 9, 11), (7, 7, 10)])
    frame = extents.extent_frame(data, [0])
    larger = frame.copy()
    own = (larger["measure"] == "area") & (larger["extent"] == "foreground")
    for shift, words in ((5.0, "larger for MF, by 5.0"), (-5.0, "smaller for MF, by -5.0")):
        base = frame.loc[(frame["measure"] == "area") & (frame["extent"] == "whole image"), "value"]
        larger.loc[own, "value"] = base.to_numpy() + shift
        assert words in extents.extent_sentence(larger, data, **FEW)
    larger.loc[own, "value"] = base.to_numpy() + np.array([4, -4, 3, -3])
    said = extents.extent_sentence(larger, data, **FEW)
    assert "not told apart in size for MF" in said
    assert said.endswith("(made by hand)")
    larger.loc[larger["measure"] == "converged", "value"] = [1] * 7 + [0]
    assert "1 estimation did not converge" in extents.extent_sentence(larger, data, **FEW)


def test_one_rater_and_nothing_marked(tools):
    data = blocks(tools, [(8,), (6,)])
    frame = extents.extent_frame(data)
    assert frame.empty
    assert extents.extent_table(frame, **FEW).empty
    assert "one rater only" in extents.extent_sentence(frame, data)
    some = blocks(tools, [(8, 9), (6, 6)], rated=[[True, True], [True, False]])
    assert set(extents.extent_frame(some)["subject"]) == {"p0"}
    empty = blocks(tools, [(0, 0), (0, 0)])
    table = extents.extent_table(extents.extent_frame(empty, [0]), **FEW)
    assert pd.isna(table.loc[table["measure"] == "area", "mean"]).all()
    assert "nothing to compare" in extents.extent_sentence(extents.extent_frame(empty, [0]), empty)
    whole = extents.extent_frame(blocks(tools, [(8, 9), (6, 6)]), [])
    assert "Only the whole image was taken" in extents.extent_sentence(whole, data)
