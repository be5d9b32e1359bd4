"""Errors of two tasks, Table 3.1 and its claims, sharing, leakage: by hand, and SciPy as judge."""

import types

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from paraspine import fusion
from paraspine.studies.multitask import tables, views
from paraspine.studies.multitask.tables import REPORTED, SAME


def labels_of(*rows):
    """Label maps (N, R, 1, W) from strings of digits, raters apart by a blank."""
    return [[[[int(c) for c in rater]] for rater in row.split()] for row in rows]


@pytest.fixture
def data(tools):
    # p0: raters differ on two voxels; p1: they agree; p2: one rater
    labels = labels_of("0110 0100 0112", "1122 1122 1122", "0012 0000 0000")
    rated = [[1, 1, 1], [1, 1, 1], [1, 0, 0]]
    return tools.data(labels, rated, level=["L4", "L5", "S1"])


@pytest.fixture
def wanted(data):
    found = np.full((3, 2, 1, 4), np.nan, np.float32)
    for item in (0, 1):
        found[item] = fusion.variance_map(data.labels[item], 3)
    return found


def joint(tools, said, variance):
    """A network that says these labels for sure and these variances."""
    labels = [[[int(c) for c in row]] for row in said]
    mean = np.eye(3)[np.array(labels)].transpose(0, 3, 1, 2)
    return types.SimpleNamespace(
        moments=tools.moments(mean), variance=np.asarray(variance, np.float32)
    )


@pytest.fixture
def pair(tools, wanted):
    """Predictions that are off, and those that are right."""
    known = np.nan_to_num(wanted)
    return (
        joint(tools, ["0100", "1222", "0000"], known + 0.01),
        joint(tools, ["0110", "1122", "0012"], known),
    )


@pytest.fixture
def frame(data, wanted, pair):
    off, right = pair
    alone = {("unet", "single"): right.moments, ("unet", "dropout"): off.moments}
    together = {"multitask_unet": off, "multitask_transunet": right}
    return tables.both_frame(data, wanted, together, alone)


def value(frame, model, measure, subject, name):
    rows = frame[(frame["model"] == model) & (frame["measure"] == measure)]
    return rows[(rows["subject"] == subject) & (rows["class"] == name)]["value"].item()


def test_errors_by_hand(frame):
    unet, trans = "multitask_unet", "multitask_transunet"
    assert value(frame, trans, "dice", "p0", "MF") == 1
    assert value(frame, unet, "dice", "p0", "MF") == pytest.approx(2 / 3)  # one of two voxels
    assert np.isnan(value(frame, unet, "dice", "p0", "ES"))  # in neither
    assert value(frame, unet, "dice", "p1", "ES") == pytest.approx(4 / 5)
    assert value(frame, unet, "variance_mse", "p0", "MF") == pytest.approx(1e-4, rel=1e-3)
    assert value(frame, trans, "variance_mse", "p1", "ES") == 0
    assert np.isnan(value(frame, unet, "variance_mse", "p2", "MF"))  # one rater: unknown
    assert value(frame, unet, "dice", "p2", "MF") == 0
    assert set(frame[frame["measure"] == "variance_mse"]["model"]) == {unet, trans}


def test_networks_are_columns_with_one_label(frame):
    names = frame[["model", "condition", "network", "tasks"]].drop_duplicates()
    assert list(names.itertuples(index=False, name=None)) == [
        ("multitask_unet", "multi-task U-Net", "U-Net", "multi-task"),
        ("multitask_transunet", "multi-task TransUNet", "TransUNet", "multi-task"),
        ("unet", "single-task U-Net", "U-Net", "single-task"),  # one pass alone
    ]


def test_sizes_in_thousands():
    counts = {"multitask_unet": {"shared": 1500, "segmentation": 250, "variance": 50}}
    assert tables.network_sizes(counts).to_dict("records") == [
        {"condition": "multi-task U-Net", "shared": 1.5, "segmentation": 0.25, "variance": 0.05,
         "all": 1.8}
    ]  # fmt: skip


# --- Table 3.1 -------------------------------------------------------------------------------


def random_frame(shift=0.03, error=0.5, subjects=8):
    """Images of some subjects; the TransUNet's Dice higher by `shift`, its MSE times `error`."""
    rng = np.random.default_rng(0)
    lines = []
    for k in range(subjects * 3):
        identity = {"subject": f"s{k // 3}", "image": f"{k}", "slice": 0}
        for model, own, times in (
            ("multitask_unet", 0.0, 1.0), ("multitask_transunet", shift, error), ("unet", 0.01, 0),
        ):  # fmt: skip
            for name, more in (("left MF", 0.0), ("right MF", 0.02)):
                common = identity | {"class": name} | tables.names_of(model)
                dice = 0.85 + own + more + 0.005 * rng.standard_normal()
                lines.append(common | {"measure": "dice", "value": dice})
                if times:
                    mse = 1e-5 * times * (3 + rng.random())
                    lines.append(common | {"measure": "variance_mse", "value": mse})
    return pd.DataFrame(lines)


@pytest.fixture(scope="module")
def random():
    return random_frame()


def two(frame, measure, name, a="multi-task U-Net", b="multi-task TransUNet"):
    rows = frame[(frame["measure"] == measure) & (frame["class"] == name)]
    wide = rows.pivot(index=["subject", "image"], columns="condition", values="value")
    return wide[a], wide[b]


def test_tests_are_scipys(random):
    table = tables.task_tests(random).set_index(["measure", "class"])
    assert len(table) == 4
    for measure, name in table.index:
        a, b = two(random, measure, name)
        row = table.loc[(measure, name)]
        assert (row["n"], row["a"]) == (24, "multi-task U-Net")
        assert row["difference"] == pytest.approx((a - b).mean())
        assert row["low"] < row["difference"] < row["high"]
        assert row["p"] == pytest.approx(stats.ttest_rel(a, b).pvalue)
        assert row["p_wilcoxon"] == pytest.approx(stats.wilcoxon(a, b).pvalue)
    for p in ("p", "p_wilcoxon"):  # Holm over all four rows
        found = table.sort_values(p, kind="stable")
        least = found[p].iloc[0]
        assert found[f"{p}_holm"].iloc[0] == pytest.approx(min(1, 4 * least))
    assert tables.task_tests(random[random["network"] == "U-Net"]).empty


def test_published_cells_and_their_layout(random):
    cells = tables.published_cells(random)
    assert len(cells) == 24
    cell = cells[(cells["system"] == "multi-task U-Net") & (cells["target"] == "left MF")]
    dice, error = cell.to_dict("records")
    assert (dice["published"], dice["published_sd"], dice["place"]) == (93.3, 4.5, "above")
    assert dice["value"] == pytest.approx(100 * two(random, "dice", "left MF")[0].mean())
    assert dice["low"] < dice["value"] < dice["high"]
    own = 1e5 * two(random, "variance_mse", "left MF")[0]
    assert (error["published"], error["trainings"]) == (7.37, 1)
    assert (error["value"], error["sd"]) == pytest.approx((own.mean(), own.std()))
    missing = cells[cells["target"] == "left ES"]["status"]
    assert set(missing) == {"this cohort has no left ES", "not run"}
    assert set(cells[cells["system"] == "Xia 2019"]["status"]) == {"not run"}
    rows = views.table_rows(cells).set_index(["measure", "network", "from", "target"])["cell"]
    expected = f"{dice['value']:.1f} ± {dice['sd']:.1f}"
    assert rows["Dice, %", "multi-task U-Net", "this run", "left MF"] == expected
    assert rows["Dice, %", "multi-task TransUNet", "thesis", "left MF"] == "94.3 ± 4.1*"
    assert rows["Dice, %", "multi-task TransUNet", "thesis", "left ES"] == "92.8 ± 4.5"
    mse = "MSE of the variance map, × 10⁻⁵"
    assert rows[mse, "multi-task U-Net", "thesis", "left MF"] == "7.37 ± 10.60"
    assert (
        rows[mse, "multi-task U-Net", "this run", "left MF"]
        == f"{own.mean():.2f} ± {own.std():.2f}"
    )
    assert list(rows.index.get_level_values("measure").unique()) == ["Dice, %", mse]
    assert ("Dice, %", "multi-task U-Net", "this run", "left ES") not in rows
    assert len(rows) == 24 + 2 * 2 * 2


def test_undefined_cells_say_so(random):
    none = random.assign(value=random["value"].where(random["class"] != "left MF"))
    cells = tables.published_cells(none).set_index(["system", "target", "metric"])["status"]
    assert cells["multi-task U-Net", "left MF", "Dice"] == "undefined in this run"
    assert cells["multi-task U-Net", "right MF", "MSE"] == ""


@pytest.mark.parametrize(
    ("shift", "error", "verdicts"),
    [
        (0.03, 0.5, ("supported", "supported")),
        (-0.03, 2.0, ("contradicted", "contradicted")),
        (0.0, 1.0, ("can't tell", "can't tell")),
        (0.03, 2.0, ("supported", "contradicted")),
    ],
)
def test_claims_are_judged_both_ways(shift, error, verdicts):
    frame = random_frame(shift, error)
    table = tables.claims_table(frame).set_index(["measure", "class"])
    whole = table.xs("all", level="class")
    assert tuple(whole["verdict"]) == verdicts
    assert whole.loc["dice", "claim"].endswith(
        "TransUNet outlines better than the multi-task U-Net"
    )
    assert whole.loc["variance_mse", "claim"].endswith("predicts the raters' variance better")
    assert set(whole["paper"] + whole["table"]) == {"roshanzamir2022thesis Table 3.1"}
    assert whole["clusters"].tolist() == [8, 8]
    a, b = two(frame, "dice", "right MF")
    row = table.loc[("dice", "right MF")]
    assert row["mean"] == pytest.approx(100 * (b - a).mean())
    assert row["published"] == pytest.approx(94.5 - 93.6)
    a, b = two(frame, "variance_mse", "right MF")
    row = table.loc[("variance_mse", "right MF")]
    assert row["mean"] == pytest.approx(1e5 * (a - b).mean())
    assert row["published"] == pytest.approx(5.37 - 5.57)
    assert row["without_low"] < row["mean"] < row["without_high"]
    assert whole.loc["dice", "published"] == pytest.approx((1.0 + 0.9 + 0.4 + 1.0) / 4)


def test_a_claim_that_one_subject_decides_or_few_is_not_told(random):
    gaps = [0.1, 0.05, 0.2, 0.1, -0.1, 1.3]  # the interval lies above 0 because of the last one
    lines = []
    for k, gap in enumerate(gaps):
        for model, value in (("multitask_unet", 0.5), ("multitask_transunet", 0.5 + gap / 10)):
            own = {"subject": f"s{k}", "image": "i", "slice": 0, "class": "left MF"}
            lines.append(own | tables.names_of(model) | {"measure": "dice", "value": value})
    row = tables.claims_table(pd.DataFrame(lines)).iloc[0]
    assert row["low"] > 0
    assert (row["verdict"], row["why"]) == ("can't tell", "one subject decides")
    few = tables.claims_table(random_frame(subjects=5)).iloc[0]
    assert (few["verdict"], few["why"]) == ("can't tell", "fewer than 6 subjects")
    assert tables.claims_table(random[random["network"] == "U-Net"]).empty


def test_claims_as_rows(random):
    rows = views.claim_rows(tables.claims_table(random))
    first = rows.iloc[0]
    assert first[["statistic", "class", "thesis", "verdict"]].tolist() == [
        "Dice, TransUNet minus U-Net, points", "all", "0.82", "supported",
    ]  # fmt: skip
    assert first["ours"] == "3.10 [2.98, 3.20]"
    assert first["range"] == "3.06 to 3.14"
    assert rows["thesis"].tolist()[3:5] == ["0.320", "0.960"]
    unclear = views.claim_rows(tables.claims_table(random_frame(0.0)))
    assert unclear["verdict"].iloc[0] == "can't tell: the interval includes 0"


def test_measures_in_units_and_words(random):
    shown = views.in_units(tables.task_tests(random), "difference")
    shown = shown.set_index(["measure", "class"])["difference"]
    a, b = two(random, "dice", "left MF")
    assert shown["Dice, %", "left MF"] == pytest.approx(100 * (a - b).mean())
    a, b = two(random, "variance_mse", "left MF")
    words = "MSE of the variance map, × 10⁻⁵"
    assert shown[words, "left MF"] == pytest.approx(1e5 * (a - b).mean())


# --- cost of sharing -------------------------------------------------------------------------


def test_sharing_by_hand(frame):
    table = tables.sharing_table(frame)
    assert list(table["network"].unique()) == ["U-Net"]  # of the other there is no single task
    found = table.set_index("class")
    # MF: 2/3 - 1, 2/3 - 1, 0 - 1; ES: (undefined), 4/5 - 1, 0 - 1
    assert found.loc["MF", "mean"] == pytest.approx(-5 / 9)
    assert found.loc["MF", ["together", "alone"]].tolist() == pytest.approx([4 / 9, 1])
    assert found.loc["ES", "mean"] == pytest.approx(-0.6)
    assert found.loc["all", "mean"] == pytest.approx((-5 / 3 - 1.2) / 5)
    assert found.loc["all", ["n", "clusters"]].tolist() == [5, 3]
    assert tables.sharing_table(frame[frame["tasks"] == "multi-task"]).empty


def test_dice_of_each_seed(data, pair):
    off, right = pair
    table = tables.seed_table(data, {("unet", 0): right.moments, ("unet", 7): off.moments})
    found = table.set_index(["network", "seed"])["mean"]
    assert found["U-Net", 0] == 1
    assert found["U-Net", 7] == pytest.approx((2 / 3 + 2 / 3 + 0 + 4 / 5 + 0) / 5)


# --- data leakage ----------------------------------------------------------------------------


def errors(subjects, values, measure="dice"):
    return pd.DataFrame(
        {
            "subject": [s[0] for s in subjects], "image": subjects, "slice": 0, "class": "MF",
            "measure": measure, "value": values,
        }
    )  # fmt: skip


def leakage(one, other):
    frames = {("multitask_unet", "slice"): one, ("multitask_unet", "subject"): other}
    return tables.leakage_table(frames).set_index("compared")


def test_leakage_by_hand():
    table = leakage(
        errors(["a1", "a2", "b1", "b9"], [0.9, 0.8, 0.7, np.nan]),
        errors(["a1", "a3", "b1", "b2"], [0.8, 0.5, 0.5, 0.6]),
    )
    assert table["network"].unique() == ["multi-task U-Net"]
    assert table.loc[REPORTED, ["by_slice", "by_subject"]].tolist() == pytest.approx([0.8, 0.6])
    assert table.loc[REPORTED, "mean"] == pytest.approx(0.2)
    assert table.loc[REPORTED, "slices"] == 6
    # Without a: 0.7 - 0.55, without b: 0.85 - 0.65; resamples are a twice, b twice or each once.
    ends = table.loc[REPORTED, ["without_low", "without_high", "low", "high"]].tolist()
    assert ends == pytest.approx([0.15, 0.2, 0.15, 0.2])
    assert table.loc[SAME, ["by_slice", "by_subject"]].tolist() == pytest.approx([0.8, 0.65])
    assert table.loc[SAME, "mean"] == pytest.approx(0.15)  # 0.1 of a1 and 0.2 of b1
    assert table.loc[SAME, ["slices", "clusters"]].tolist() == [2, 2]
    assert table.loc[SAME, ["low", "high"]].tolist() == pytest.approx([0.1, 0.2])


def test_leakage_without_a_shared_slice_or_a_training():
    table = leakage(errors(["a1"], [0.9]), errors(["b1"], [0.8]))
    assert np.isnan(table.loc[SAME, "mean"])
    assert table.loc[REPORTED, "mean"] == pytest.approx(0.1)
    assert tables.leakage_table({}).empty


def test_subjects_on_both_sides_by_hand(tools):
    data = tools.data(labels_of(*["01 01"] * 5), classes=2, subject=["a", "a", "b", "b", "c"])
    count = tables.tested_with_known_subjects
    assert count(data, ["train", "test", "test", "test", "test"]) == (4, 1)
    assert count(data, ["validation", "test", "train", "test", "test"]) == (3, 2)
