"""Which map ranks voxels by disagreement: by hand, scikit-learn and SciPy as judges."""

import types

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from paraspine import fusion, maps, models, statistics
from paraspine.studies.multitask import maps as own
from paraspine.studies.multitask import views

MAPS = [
    ("U-Net", "variance", "predicted variance"),
    ("U-Net", "single", "entropy of one pass"),
    ("U-Net", "dropout", "entropy of test-time dropout"),
    ("U-Net", "ensemble", "entropy of an ensemble of 4 seeds"),
]


@pytest.fixture
def data(tools):
    labels = np.zeros((3, 3, 12, 12), int)
    labels[:, :, 3:8, 3:8] = 1
    labels[:2, 1, 8, 3:8] = 1  # a rater draws a row more
    labels[:2, 2, 3:8, 8] = 2
    labels[1, 1, 2, 3:8] = 1  # and another row of the second image
    return tools.data(labels, level=["L4", "L5", "S1"])


@pytest.fixture
def wanted(data):
    return np.stack([fusion.variance_map(labels, 3) for labels in data.labels])


@pytest.fixture
def found(tools, data, wanted):
    rng = np.random.default_rng(1)
    means = rng.dirichlet((1, 1, 1), size=(3, 3, 12, 12)).transpose(0, 1, 4, 2, 3)
    one, dropout, ensemble = (tools.moments(mean) for mean in means)
    joint = types.SimpleNamespace(moments=one, variance=wanted)
    alone = {
        ("unet", "single"): (one, 1.0), ("unet", "dropout"): (dropout, 5.0),
        ("transunet", "single"): (one, 1.0), ("unet", "ensemble"): (ensemble, 4.0),
    }  # fmt: skip
    return own.uncertainty_maps({"multitask_unet": (joint, 2.0)}, alone, 10, 4)


def test_maps_and_costs(wanted, found):
    assert [(m.network, m.method, m.label) for m in found] == MAPS
    assert [(m.passes, m.trainings) for m in found] == [(1, 1), (1, 1), (10, 1), (4, 4)]
    np.testing.assert_allclose(found[0].array, wanted.sum(axis=1))
    assert found[2].array.max() <= np.log(3) + 1e-9
    cost = own.cost_table(found, 4)
    assert cost["milliseconds"].tolist() == [500, 250, 1250, 1000]
    assert cost["times"].tolist() == [1, 0.5, 2.5, 2]
    half = own.maps_on(found, np.array([True, False, True]))
    assert (half[1].array == found[1].array[[0, 2]]).all()
    assert maps.entropy(np.full((3, 1), 1 / 3)).item() == pytest.approx(np.log(3))


def test_ranking_is_scikit_learns_and_scipys(data, wanted, found):
    frame = own.rank_frame(data, found, wanted)
    frame = frame.set_index(["method", "subject", "measure"])["value"].sort_index()
    for shown in found:
        for item, share in ((0, 10 / 144), (1, 15 / 144)):
            disputed = np.ptp(data.labels[item], axis=0) > 0
            values = frame[shown.method, f"p{item}"]
            expected = average_precision_score(disputed.ravel(), shown.array[item].ravel())
            assert values["average_precision"] == pytest.approx(expected, abs=1e-6)
            r = stats.pearsonr(shown.array[item].ravel(), wanted[item].sum(axis=0).ravel())
            assert values["correlation"] == pytest.approx(r.statistic, abs=1e-6)
            assert values["prevalence"] == pytest.approx(share)
    agreed = frame.xs("p2", level="subject")  # nobody differs: nothing to rank
    assert agreed.xs("average_precision", level="measure").isna().all()
    assert agreed.xs("correlation", level="measure").isna().all()


def test_images_of_one_rater_are_left_out(tools, data, wanted, found):
    rated = np.array([[1, 1, 1], [1, 0, 0], [1, 0, 1]])
    alone = tools.data(data.labels, rated)
    assert set(own.rank_frame(alone, found, wanted)["subject"]) == {"p0", "p2"}


def test_tables_and_differences(data, wanted, found):
    frame = own.rank_frame(data, found, wanted)
    table, lead = own.ranking_table(frame), own.ranking_difference(frame)
    assert (len(table), len(lead)) == (8, 6)
    assert list(table["measure"].unique()) == ["average precision", "Pearson's r"]
    means = table.set_index(["method", "measure"])["mean"]
    for row in lead.to_dict("records"):
        expected = means["variance", row["measure"]] - means[row["method"], row["measure"]]
        assert row["mean"] == pytest.approx(expected)
        assert (row["n"], row["clusters"]) == (2, 2)
    wide = frame[frame["measure"] == "correlation"].pivot(
        index="subject", columns="method", values="value"
    )
    gaps = (wide["variance"] - wide["dropout"]).dropna().sort_values().tolist()
    row = lead[(lead["method"] == "dropout") & (lead["measure"] == "Pearson's r")].iloc[0]
    assert row[["without_low", "without_high"]].tolist() == pytest.approx(gaps)
    assert own.prevalence_of(frame) == pytest.approx(25 / 432)
    rows = views.ranking_rows(table, lead, own.cost_table(found, 3)).set_index("map")
    assert list(rows.index) == [label for *_, label in MAPS]
    assert rows.loc[MAPS[2][2], "ap"] == means["dropout", "average precision"]
    assert rows.loc[MAPS[2][2], "pearson_lead"] == pytest.approx(row["mean"])
    assert rows.loc[MAPS[2][2], "passes"] == 10
    assert np.isnan(rows.loc["predicted variance", "ap_lead"])
    assert "passes" not in views.ranking_rows(table, lead)


def test_chance_is_the_mean_over_images_not_over_subjects_or_maps():
    lines = {"subject": ["p", "p", "q", "q"], "image": ["0", "1", "0", "0"], "slice": 0}
    frame = pd.DataFrame(lines | {"measure": "prevalence", "value": [0.1, 0.5, 0.3, 0.3]})
    assert own.prevalence_of(frame) == pytest.approx(0.3)
    assert own.prevalence_of(frame.iloc[1:]) == pytest.approx(0.4)


def test_differences_stay_within_a_network_and_leave_out_what_is_undefined():
    lines = []
    for network, base in (("U-Net", 0.5), ("TransUNet", 0.2)):
        for method, more in (("variance", 0.1), ("single", 0.0)):
            for k in range(4):
                value = np.nan if (k == 3 and method == "single") else base + more * (1 + k)
                lines.append(
                    {"subject": f"s{k}", "image": "i", "slice": 0, "network": network,
                     "method": method, "label": method, "measure": "correlation", "value": value}
                )  # fmt: skip
    frame = pd.DataFrame(lines)
    lead = own.ranking_difference(frame).set_index("network")
    assert lead["mean"].to_dict() == pytest.approx({"U-Net": 0.2, "TransUNet": 0.2})
    assert lead["n"].tolist() == [3, 3]
    expected = statistics.mean_interval([0.1, 0.2, 0.3], ["s0", "s1", "s2"])
    ends = pytest.approx([expected.low, expected.high])
    assert lead.loc["U-Net", ["low", "high"]].tolist() == ends
    assert own.ranking_difference(frame[frame["method"] == "variance"]).empty


def test_extra_raters_are_what_raters_in_general_say(tools, data, wanted, found):
    many = np.repeat(data.labels[:, :1], 40, axis=1)
    many[0, :10, 8, 3:8] = 1  # a quarter of them draw a row more
    many[1, :4, 8, 3:8] = 1  # no more than a tenth do
    many[2, :5, 8, 3:8] = 1  # just more
    extra = tools.data(many, raters=[f"{r:03d}" for r in range(40)])
    frame = own.extra_raters_frame(data, found, extra, wanted)
    values = frame.set_index(["method", "subject", "measure"])["value"].sort_index()["raters"]
    assert [values[f"p{i}", "prevalence"] for i in range(3)] == pytest.approx([5 / 144, 0, 5 / 144])
    soft = np.stack([1 / (1 + np.exp(-fusion.signed_distance(m == 1))) for m in many[0]])
    true = soft.var(axis=0)
    few = wanted[0].sum(axis=0)
    expected = np.corrcoef(true.ravel(), few.ravel())[0, 1]
    assert values["p0", "correlation"] == pytest.approx(expected, abs=1e-5)
    assert "variance of 3 raters" in set(frame["label"])
    nearer = own.ranking_difference(frame, "raters")
    assert nearer[["network", "method"]].drop_duplicates().to_numpy().tolist() == [
        ["U-Net", "raters"]
    ]
    assert nearer["mean"].abs().max() < 1e-6  # the predicted variance is that of the raters
    nothing = own.extra_raters_frame(data, found, None, wanted)
    assert own.ranking_table(nothing).empty
    assert own.ranking_difference(nothing).empty
    assert np.isnan(own.prevalence_of(nothing))


def test_which_methods_and_networks_are_compared():
    a, b, c, d = (models.build("unet", 1, 2, widths=[2, 2], dropout=0.5) for _ in range(4))
    members = {("unet", 5): a, ("unet", 1): b, ("unet", 2): c, ("transunet", 1): d}
    found = own.compared_methods(members, ["ensemble", "tta", "dropout"])
    assert found[:3] == [("unet", "single"), ("unet", "dropout"), ("unet", "ensemble")]
    assert found[3] == ("transunet", "single")
    assert own.compared_methods({("unet", 0): a}, ["tta"]) == [("unet", "single")]
    without = {("unet", 0): models.build("unet", 1, 2, widths=[2, 2], dropout=0.0)}
    assert own.compared_methods(without, ["dropout"]) == [("unet", "single")]
    assert own.members_for("ensemble", "unet", members, [1, 2]) == [b, c]
    assert own.members_for("dropout", "unet", members, [1, 2]) == [a]


def test_some_slices(tools):
    labels = np.zeros((4, 1, 2, 2), int)
    data = tools.data(labels, subject=["a", "a", "b", "c"], level=["L4", "S1", "S1", "L4"])
    assert own.slices_of(data, 2, ["S1"]).tolist() == [False, True, True, False]
    assert own.slices_of(data, 2, ["L9"]).tolist() == [True, True, True, False]
    assert own.slices_of(data, 0, []).all()
    assert own.slices_of(tools.data(labels), 0, ["S1"]).all()
