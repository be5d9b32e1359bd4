"""Errors of two tasks, Table 3.1, what sharing costs: hand-worked answers, SciPy as a judge."""

import types

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from paraspine import fusion
from paraspine.evidence import printed
from paraspine.studies.multitask import frames as multitask_frames
from paraspine.studies.multitask import leakage, tables
from paraspine.studies.multitask import words as multitask_words
from paraspine.studies.multitask.leakage import REPORTED, SAME

FEW = {"resamples": 100}


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
    mean = np.eye(3)[np.array(said)].transpose(0, 3, 1, 2)
    return types.SimpleNamespace(
        moments=tools.moments(mean), variance=np.asarray(variance, np.float32)
    )


def rows_of(*rows):
    return [[[int(c) for c in row]] for row in rows]


@pytest.fixture
def study(tools, data, wanted):
    known = np.nan_to_num(wanted)
    right = joint(tools, rows_of("0110", "1122", "0012"), known)
    off = joint(tools, rows_of("0100", "1222", "0000"), known + 0.01)
    alone = {("unet", "single"): right.moments, ("unet", "dropout"): off.moments}
    together = {"multitask_unet": off, "multitask_transunet": right}
    return multitask_frames.both_frame(data, wanted, together, alone)


def value(frame, who, measure, subject, name):
    rows = frame[(frame["condition"] == who) & (frame["measure"] == measure)]
    (row,) = rows[(rows["subject"] == subject) & (rows["class"] == name)].to_dict("records")
    return row["value"]


def test_errors_by_hand(study):
    unet, trans = "multi-task U-Net", "multi-task TransUNet"
    assert value(study, trans, "dice", "p0", "MF") == 1
    assert value(study, unet, "dice", "p0", "MF") == pytest.approx(2 / 3)  # one of two voxels
    assert np.isnan(value(study, unet, "dice", "p0", "ES"))  # in neither
    assert value(study, unet, "dice", "p1", "ES") == pytest.approx(4 / 5)
    assert value(study, unet, "variance_mse", "p0", "MF") == pytest.approx(1e-4, rel=1e-3)
    assert value(study, trans, "variance_mse", "p1", "ES") == 0
    assert np.isnan(value(study, unet, "variance_mse", "p2", "MF"))  # one rater: unknown
    assert value(study, unet, "dice", "p2", "MF") == 0
    assert set(study["condition"]) == {
        unet,
        trans,
        "single-task U-Net",
    }  # one pass of single-task alone


def test_table_for_reading(study):
    shown = tables.pretty_multitask(study, "made by hand")
    assert shown.columns.name == "made by hand"
    assert list(shown.columns) == ["MF", "ES"]
    # Dice of MF: 2/3, 2/3 and 0
    spread = np.std([200 / 3, 200 / 3, 0], ddof=1)
    assert shown.loc[("Dice, %", "multi-task U-Net"), "MF"] == f"44.4 ± {spread:.1f}"
    mse = shown.loc["MSE of the variance map, × 10⁻⁵"]
    assert mse.loc["multi-task U-Net", "MF"] == "10.00 ± 0.00"
    assert "single-task U-Net" not in mse.index


@pytest.fixture
def random_study():
    """Twelve images of four subjects, two networks, both tasks."""
    rng = np.random.default_rng(0)
    lines = []
    for subject in range(4):
        for image in range(3):
            for tasks, network, shift in (
                ("multi-task", "U-Net", 0.0), ("multi-task", "TransUNet", 0.03),
                ("single-task", "U-Net", 0.01),
            ):  # fmt: skip
                for name in ("left MF", "right MF"):
                    common = {
                        "subject": f"s{subject}", "image": f"{subject}-{image}", "slice": 0,
                        "class": name, "condition": f"{tasks} {network}", "network": network,
                        "tasks": tasks,
                    }  # fmt: skip
                    dice = 0.9 + shift + 0.02 * rng.standard_normal()
                    lines.append(common | {"measure": "dice", "value": dice})
                    if tasks == "multi-task":
                        error = 1e-4 * rng.random()
                        lines.append(common | {"measure": "variance_mse", "value": error})
    return pd.DataFrame(lines)


def both(frame, measure, name, a="multi-task U-Net", b="multi-task TransUNet"):
    rows = frame[(frame["measure"] == measure) & (frame["class"] == name)]
    wide = rows.pivot(index=["subject", "image"], columns="condition", values="value")
    return wide[a], wide[b]


def test_tests_are_scipys(random_study):
    table = tables.task_tests(random_study).set_index(["measure", "class"])
    assert len(table) == 4
    for measure, name in table.index:
        a, b = both(random_study, measure, name)
        row = table.loc[(measure, name)]
        assert row["n"] == 12
        assert row["difference"] == pytest.approx((a - b).mean())
        assert row["p"] == pytest.approx(stats.ttest_rel(a, b).pvalue)
        assert row["p_wilcoxon"] == pytest.approx(stats.wilcoxon(a, b).pvalue)
    ordered = table.sort_values("p")
    assert ordered["p_holm"].iloc[0] == pytest.approx(min(1, 4 * ordered["p"].iloc[0]))
    by_subject = tables.task_tests(random_study, by_subject=True).set_index(["measure", "class"])
    a, b = (x.groupby("subject").mean() for x in both(random_study, "dice", "left MF"))
    assert by_subject.loc[("dice", "left MF"), "n"] == 4
    assert by_subject.loc[("dice", "left MF"), "p"] == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_words_of_the_tests(random_study):
    image, subject = (tables.task_tests(random_study, by_subject=b) for b in (False, True))
    words = multitask_words.multitask_tests_sentence(image, subject)
    assert words.startswith("By image: Of 2 comparisons of multi-task U-Net with multi-task Trans")
    assert "the variance map's MSE is higher" in words
    shown = tables.pretty_tests(image, "made up")
    assert shown.columns[0] == "multi-task U-Net minus multi-task TransUNet (95 % interval)"
    one = random_study[random_study["network"] == "U-Net"]
    empty = tables.task_tests(one)
    assert empty.empty
    assert tables.pretty_tests(empty, "made up").empty
    assert multitask_words.multitask_tests_sentence(empty, empty).startswith(
        "Only one multi-task network"
    )


def test_beside_the_published_table(random_study):
    table = tables.beside_multitask(random_study, **FEW)
    assert len(table) == 24
    cell = table[(table["system"] == "multi-task U-Net") & (table["target"] == "left MF")]
    dice, error = cell.to_dict("records")
    assert (dice["published"], dice["published_sd"]) == (93.3, 4.5)
    assert dice["value"] == pytest.approx(100 * both(random_study, "dice", "left MF")[0].mean())
    assert error["published"] == 7.37
    expected = 1e5 * both(random_study, "variance_mse", "left MF")[0]
    assert error["value"] == pytest.approx(expected.mean())
    assert error["sd"] == pytest.approx(expected.std())
    assert set(table[table["target"] == "left ES"]["status"]) == {
        "this cohort has no left ES", "not run",
    }  # fmt: skip
    assert set(table[table["system"] == "Xia 2019"]["status"]) == {"not run"}
    shown = printed.pretty_beside(table, "thesis Table 3.1, segmentation", "made up")
    assert len(shown) == 16
    words = printed.beside_sentence(table, "thesis Table 3.1, segmentation", "made up")
    assert words.startswith("Of 16 published cells this run has 4.")


def test_sharing_by_hand(study):
    table = multitask_frames.sharing_table(study, ["unet", "transunet"], **FEW)
    assert list(table["network"].unique()) == ["U-Net"]  # of the other there is no single task
    found = table.set_index("class")
    # MF: 2/3 - 1, 2/3 - 1, 0 - 1; ES: (undefined), 4/5 - 1, 0 - 1
    assert found.loc["MF", "mean"] == pytest.approx(-5 / 9)
    assert found.loc["ES", "mean"] == pytest.approx(-0.6)
    assert found.loc["all", "mean"] == pytest.approx((-5 / 3 - 1.2) / 5)
    assert found.loc["all", "clusters"] == 3
    nothing = multitask_frames.sharing_table(study[study["tasks"] == "multi-task"], ["unet"], **FEW)
    assert nothing.empty
    assert multitask_words.sharing_sentence(nothing).startswith("There is no single-task network")
    assert multitask_words.headline_sharing(nothing) == "not compared"


@pytest.mark.parametrize(
    ("low", "high", "clusters", "words"),
    [
        (0.01, 0.02, 8, "gains accuracy"),
        (-0.02, -0.01, 8, "costs accuracy"),
        (-0.01, 0.02, 8, "the data can't tell a cost or a gain"),
        (0.01, 0.02, 3, "the data can't tell a cost or a gain with 3 subjects"),
        (np.nan, np.nan, 8, "the data can't tell a cost or a gain"),
    ],
)
def test_sharing_in_words(low, high, clusters, words):
    row = {"network": "U-Net", "class": "all", "mean": 0.0, "low": low, "high": high,
           "together": 0.9, "alone": 0.9, "clusters": clusters}  # fmt: skip
    table = pd.DataFrame([row])
    assert words in multitask_words.sharing_sentence(table)
    assert "nan" not in multitask_words.sharing_sentence(table)
    assert "U-Net" in multitask_words.headline_sharing(table)


# --- splits ----------------------------------------------------------------------------------


def errors(subjects, values, measure="dice"):
    return pd.DataFrame(
        {
            "subject": [s[0] for s in subjects],
            "image": subjects,
            "slice": 0,
            "class": "MF",
            "measure": measure,
            "value": values,
        }
    )


def test_leak_by_hand():
    by_slice = errors(["a1", "a2", "b1"], [0.9, 0.8, 0.7])
    by_subject = errors(["a1", "a3", "b1", "b2"], [0.8, 0.5, 0.6, 0.5])
    frames = {("multitask_unet", "slice"): by_slice, ("multitask_unet", "subject"): by_subject}
    table = leakage.leak_table(frames, **FEW).set_index("compared")
    assert table.loc[REPORTED, "by_slice"] == pytest.approx(0.8)
    assert table.loc[REPORTED, "by_subject"] == pytest.approx(0.6)
    assert table.loc[REPORTED, "mean"] == pytest.approx(0.2)
    assert table.loc[REPORTED, "slices"] == 5
    assert table.loc[SAME, "mean"] == pytest.approx(0.1)  # a1 and b1, 0.1 each
    assert table.loc[SAME, ["low", "high"]].tolist() == pytest.approx([0.1, 0.1])
    assert table.loc[SAME, ["slices", "clusters"]].tolist() == [2, 2]
    # Resamples: a twice, b twice or each once.
    low, high = table.loc[REPORTED, ["low", "high"]]
    assert low == pytest.approx(0.7 - 0.55)
    assert high == pytest.approx(0.85 - 0.65)


def test_leak_without_a_shared_slice_or_a_training():
    frames = {
        ("multitask_unet", "slice"): errors(["a1"], [0.9]),
        ("multitask_unet", "subject"): errors(["b1"], [0.8]),
    }
    table = leakage.leak_table(frames, **FEW)
    assert np.isnan(table.set_index("compared").loc[SAME, "mean"])
    assert "no slice is in both test sets" in leakage.leak_sentence(table, (1, 1))
    assert (
        "undefined"
        in leakage.pretty_leak(table, "made up").loc[
            ("multi-task U-Net", "Dice, %", SAME), "difference (95 % interval)"
        ]
    )
    nothing = leakage.leak_table({}, **FEW)
    assert leakage.leak_sentence(nothing, (1, 1)).startswith("Left out")
    assert leakage.pretty_leak(nothing, "made up").empty


@pytest.mark.parametrize(
    ("measure", "low", "high", "words"),
    [
        ("dice", 0.01, 0.02, "which flatters"),
        ("dice", -0.02, -0.01, "which does the opposite of flattering"),
        ("variance_mse", -2e-5, -1e-5, "which flatters"),
        ("variance_mse", 1e-5, 2e-5, "which does the opposite"),
        ("dice", -0.01, 0.02, "which can't be told from no leak"),
    ],
)
def test_leak_in_words(measure, low, high, words):
    row = {"network": "multi-task U-Net", "measure": measure, "by_slice": 0.9, "by_subject": 0.8,
           "mean": (low + high) / 2, "low": low, "high": high, "slices": 9,
           "clusters": 8}  # fmt: skip
    table = pd.DataFrame([row | {"compared": REPORTED}, row | {"compared": SAME}])
    found = leakage.leak_sentence(table, (20, 19))
    assert words in found
    assert "Of 20 test slices of the split by slice, 19 are of a subject" in found


def test_shared_sides_by_hand(tools):
    labels = labels_of(*["01 01"] * 5)
    data = tools.data(labels, classes=2, subject=["a", "a", "b", "b", "c"])
    sides = ["train", "test", "test", "test", "test"]
    assert leakage.sides_shared(data, sides) == (4, 1)
    assert leakage.sides_shared(data, ["validation", "test", "train", "test", "test"]) == (3, 2)
