"""Points, slices and tables of the chapter, by their heads and cells."""

import numpy as np
import pandas as pd
import pytest

from paraspine.studies.label_fusion import calibration, claims, frames, tables, views
from tests.studies.label_fusion.small import CANDIDATES, tidy


def test_points_are_of_the_six_candidates_with_the_raters_on_x(made):
    points = views.entropy_points(made.frame)
    assert list(dict.fromkeys(points["condition"])) == [who.label for who in CANDIDATES[:6]]
    assert len(points) == 6 * 8
    row = points.iloc[20]
    for measure in ("entropy", "gt_entropy"):
        own = frames.by_image(made.frame, measure)[row["condition"]]
        assert row[measure] == own[row["subject"], row["image"], row["slice"], row["split"]]


def test_slices_show_fused_raters_and_every_candidate(made):
    one = made.repeated[1]
    shown, limits = views.fusion_views(one, made.predictions, [2])
    maps = shown[0].maps
    assert list(maps) == [views.STAPLE, views.AVERAGE, *(who.label for who in CANDIDATES)]
    np.testing.assert_array_equal(maps[views.STAPLE], one.references["STAPLE"][2] > 0)
    np.testing.assert_allclose(maps[views.AVERAGE], (one.test.labels[2] > 0).mean(axis=0))
    mean = made.predictions[one.name, CANDIDATES[4]].test[2]
    np.testing.assert_allclose(maps[CANDIDATES[4].label], mean[1:].sum(axis=0), atol=1e-6)
    assert limits == dict.fromkeys(maps, 1.0)


def test_the_papers_tables_have_every_head(made):
    table = views.paper_view(made.frame, ["brier", "entropy_error_total"], "Table 8.1", "hand")
    assert list(table.frame) == [
        "Brier score, × 10⁻⁴", "SCGM grey matter, published", "SCGM white matter, published",
        "MS lesions, published", "entropy MAE, nats × voxels", "SCGM image, × 10³, published",
        "MS image, × 10⁴, published",
    ]  # fmt: skip
    assert list(table.frame.index) == [who.label for who in CANDIDATES]
    row = table.frame.loc[CANDIDATES[5].label]
    mean = frames.by_image(made.frame, "brier")[CANDIDATES[5].label].mean()
    assert row.iloc[0].startswith(f"{1e4 * mean:.1f} [")
    assert row["MS image, × 10⁴, published"] == "3.40 ± 3.96"
    assert "(hand)" in table._repr_html_()
    rows = views.paper_rows(made.frame, frames.HARD[1:], "Table 8.3", "hand")
    assert rows.folded
    assert len(rows.frame) == 28
    assert rows.frame.loc[("AVD, %", CANDIDATES[0].label), "MS lesions, published"] == "31.8 ± 18.2"
    four = views.paper_view(
        views.ensemble_pair(made.frame), ["brier"], "4", "hand", tables=["Table 4"], folded=True
    )
    assert list(four.frame.index) == ["SoftSeg, STAPLE", "loss ensemble"]
    assert list(four.frame["MS lesions, published"]) == ["5.28 ± 1.83", "5.39 ± 1.94"]


def test_arrows_say_direction_and_whether_it_holds_by_subject():
    rows = [  # effect, by image, by subject
        (0.5, 0.01, 0.02, "↑↑"), (-0.5, 0.01, 0.2, "↓"), (0.5, 0.2, 0.01, "·"),
        (-0.5, 0.04, 0.04, "↓↓"), (0.4, 0.01, 0.06, "↑"),
    ]  # fmt: skip
    tests = pd.DataFrame(rows, columns=["effect", "p_holm", "p_holm_subject", "cell"])
    tests = tests.assign(measure="composite", condition=[f"c{i}" for i in range(5)])
    shown = views.tests_view(tests.drop(columns="cell"), "Table", "hand").frame
    assert shown.index.tolist() == ["composite score"]
    assert shown.iloc[0].tolist() == tests["cell"].tolist()
    assert views.marks(tests) == {f"c{i}": "**" for i in (0, 1, 3, 4)}
    assert views.marks(tests.assign(measure="dice")) == {}


def claim(verdict, why="", printed=np.nan, quantity="dice"):
    return {
        "claim": "a", "table": "Table 2", "said": "Abstract", "statistic": "s", "where": why,
        "quantity": quantity, "printed": printed, "value": 0.02, "low": 0.01, "high": 0.03,
        "least": 0.015, "most": 0.025, "verdict": verdict, "why": why,
    }  # fmt: skip


def test_claims_are_shown_place_by_place():
    frame = pd.DataFrame(
        [claim("supported", "", 0.005), claim("can't tell", "few", quantity="brier")]
    )
    shown = views.places_view(frame, "Table", "hand")
    assert shown.folded
    first, second = (row for _, row in shown.frame.iterrows())
    assert first.tolist() == ["0.50", "2.00 [1.00, 3.00]", "1.50 to 2.50", "supported"]
    assert second.tolist() == [
        "not printed", "200.00 [100.00, 300.00]", "150.00 to 250.00", "can't tell, few",
    ]  # fmt: skip
    assert shown.frame.index[1][0] == "a (s, × 10⁻⁴)"
    assert set(claims.UNITS) >= {c.quantity for c in claims.CLAIMS[:-1]}


def test_tables_of_calibration(made):
    near = calibration.fusion_calibration(made.counts, region="near")
    every = calibration.fusion_calibration(made.counts)
    errors = views.errors_view(tables.published_errors(near, every), "Table", "hand").frame
    assert list(errors) == ["near the structures", "all voxels", "SCGM, published", "MS, published"]
    assert errors.loc["SoftSeg"].tolist()[2:] == ["2.9", "2.4"]
    assert errors.loc["SoftSeg", "all voxels"] == f"{100 * every['mean'][3:6].mean():.1f}"
    assert errors.loc["SoftSeg", "near the structures"] == f"{100 * near['mean'][3:6].mean():.1f}"
    shown = views.calibration_view(near, "Table", "hand")
    row = near.iloc[4]
    cells = shown.frame.loc[row["condition"]].tolist()
    assert shown.folded
    assert cells[0] == f"{100 * row['mean']:.2f} [{100 * row['low']:.2f}, {100 * row['high']:.2f}]"
    assert cells[1:3] == [f"{100 * row['over']:.2f}", f"{100 * row['under']:.2f}"]
    assert cells[3].startswith(f"{100 * row['gap']:.2f} [")
    rivals = calibration.scaling_table(made.repeated, made.predictions, made.frame, near)
    scaled = views.scaling_view(rivals, "Table", "hand").frame
    assert scaled.iloc[0, [0, 3]].tolist() == ["–", "–"]
    assert scaled.iloc[1, 0] == f"{rivals['temperature'][1]:.2f}"
    assert scaled.iloc[1, 2] == f"{1e3 * rivals['brier'][1]:.2f}"
    assert scaled.iloc[1, 3].startswith(f"{1e3 * rivals['against'][1]:.2f} [")


def test_folded_tables_name_their_columns(made):
    left = tables.left_out_table(tables.left_out_frame(made.repeated, made.predictions, {}))
    shown = views.left_out_view(left, "Table", "hand").frame
    assert list(shown) == ["candidate", "left-out rater", "difference", "comparisons"]
    assert shown.iloc[0, 0] == f"{left['value'][0]:.3f}"
    assert shown.iloc[0, 1] == f"{left['value_left_out'][0]:.3f}"
    apart = views.distance_view(tables.distance_table(made.frame), "Table", "hand").frame
    assert list(apart) == ["generalised energy distance", "matched IoU"]
    ged = frames.by_image(made.frame, "energy_distance")[CANDIDATES[2].label].mean()
    assert apart.loc[CANDIDATES[2].label].iloc[0].startswith(f"{ged:.3f} [")
    first, second = (tidy({w: [0.5 + 0.1 * i, 0.6] for i, w in enumerate(CANDIDATES[:2])},
                          reference=r) for r in frames.REFERENCES)  # fmt: skip
    second["value"] -= 0.2
    favour = tables.reference_table(pd.concat([first, second]))
    gains = views.reference_view(favour, "Table", "hand").frame
    assert gains.index.tolist() == [who.label for who in CANDIDATES[:2]]
    assert gains["against STAPLE"].tolist() == ["0.5500", "0.6000"]
    assert gains["against the majority vote"].tolist() == ["0.3500", "0.4000"]
    assert [float(g.split(" ")[0]) for g in gains["difference"]] == pytest.approx([0.2, 0.2])
