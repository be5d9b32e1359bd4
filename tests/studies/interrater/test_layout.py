"""The paper's tables in the paper's layout."""

import numpy as np
import pandas as pd
import pytest

from paraspine.studies.interrater import layout

MOVED = {"without_low": 0.005, "without_high": 0.025, "moved_by": "p", "decided_by": ""}


def test_published_rows_are_found_by_network_target_and_method():
    columns = ["model", "fusion", "method", "target"]
    expected = {
        "Table 1": (("unet", "random", "single", "left ES"), 2.912, 16),
        "Table 2": (("transunet", "random", "dropout", "all"), 0.3737, 6),
        "Table 3": (("unet", "majority", "tta", "all"), 0.0719, 10),
        "Table 4": (("transunet", "majority", "ensemble", "left MF"), 94.80, 24),
        "Table 5": (("unet", "majority", "ensemble", "joint"), 13.385, 18),
    }
    for name, (key, value, number) in expected.items():
        table = layout.printed_values(name)
        assert len(table) == number
        assert table.set_index(columns).loc[key, "published"] == value


def conditions_of(*keys):
    rows = [dict(zip(("model", "fusion", "method"), key, strict=True)) for key in keys]
    frame = pd.DataFrame(rows).assign(seed=0)
    labels = frame["model"] + " " + frame["fusion"] + " " + frame["method"]
    return frame.assign(condition=labels, method_label="way " + frame["method"])


def test_table_1_has_the_papers_row_under_each():
    frame = conditions_of(("unet", "random", "single"), ("unet", "random", "dropout"),
                          ("mine", "random", "single"))  # fmt: skip
    brier = pd.DataFrame(
        [
            {"condition": name, "class": structure, "mean": mean, "low": 1.0, "high": 5.0}
            for k, name in enumerate(frame["condition"])
            for structure, mean in (("MF right", 2.0 + k), ("PM", 3.5 + k))
        ]
    )
    shown = layout.brier_display(brier, frame, caption="Table 1", source="made").frame
    assert shown.index.tolist() == [
        ("U-Net", "random rater", "this run"),
        ("U-Net", "random rater", "paper"),
        ("mine", "random rater", "this run"),
    ]
    assert shown.columns.tolist() == ["MF right", "PM"]
    assert shown.to_numpy().tolist() == [
        ["2.00 [1.00, 5.00]", "3.50 [1.00, 5.00]"],
        ["1.77", "–"],
        ["4.00 [1.00, 5.00]", "5.50 [1.00, 5.00]"],
    ]


@pytest.fixture
def differences():
    row = {"compared": "architectures", "model": "", "fusion": "majority", "method": "dropout",
           "method_label": "test-time dropout", "a": "unet", "b": "transunet", "mean_a": 0.902,
           "mean_b": 0.871, "difference": 0.031, "low": 0.011, "high": 0.052, "p_holm": 0.012,
           "p_holm_subject": 0.213}  # fmt: skip
    other = {"fusion": "random", "method": "single", "method_label": "one pass"}
    target = {"compared": "targets", "model": "unet", "fusion": "", "a": "random", "b": "majority"}
    return pd.DataFrame([row, row | other, row | target]).assign(**MOVED)


def test_table_4_is_in_percent_with_both_tests(differences):
    shown = layout.dice_display(differences, caption="Table 4", source="made").frame
    assert shown.index.tolist() == [
        ("test-time dropout", "majority vote"), ("one pass", "random rater")
    ]  # fmt: skip
    assert shown.columns.tolist() == [
        "U-Net", "TransUNet", "U-Net − TransUNet, points", "leaving one subject out",
        "p by image", "p by subject", "paper: U-Net − TransUNet",
    ]  # fmt: skip
    assert shown.to_numpy().tolist() == [
        ["90.2", "87.1", "3.1 [1.1, 5.2]", "0.5 to 2.5", "0.012", "0.213", "-2.0"],
        ["90.2", "87.1", "3.1 [1.1, 5.2]", "0.5 to 2.5", "0.012", "0.213", "–"],
    ]


def test_one_architecture_has_an_empty_table_4(differences):
    targets = differences[differences["compared"] == "targets"]
    assert layout.dice_display(targets, caption="Table 4", source="made").frame.empty


def test_table_5_has_both_kinds_and_the_paper_beside():
    frame = conditions_of(("unet", "random", "dropout"), ("mine", "random", "dropout"))
    rows = [
        {"epistemic": name, "aleatoric": "x", "score": score, "part": part, "mean": mean + k,
         "low": 1.0, "high": 60.0, "without_low": 10.0, "without_high": mean}
        for k, name in enumerate(frame["condition"])
        for score in ("expected_entropy", "entropy")
        for part, mean in (("epistemic", 20.0), ("aleatoric", 25.0), ("joint", 31.0),
                           ("shared", 5.0))
    ]  # fmt: skip
    shown = layout.partition_display(pd.DataFrame(rows), frame, caption="Table 5", source="made")
    assert shown.frame.columns.tolist() == [
        "epistemic", "epistemic, paper", "aleatoric", "aleatoric, paper", "both", "both, paper",
        "both, leaving one subject out",
    ]  # fmt: skip
    ends = "[1.0, 60.0]"
    assert shown.frame.to_numpy().tolist() == [
        [f"20.0 {ends}", "12.8", f"25.0 {ends}", "0.5", f"31.0 {ends}", "12.9", "10 to 31"],
        [f"21.0 {ends}", "–", f"26.0 {ends}", "–", f"32.0 {ends}", "–", "10 to 31"],
    ]


def test_ranges_and_kinds_in_words():
    table = pd.DataFrame({"without_low": [-0.255, np.nan], "without_high": [0.5, np.nan]})
    assert layout.with_ranges(table)["without"].tolist() == ["-0.26 to 0.50", "–"]
    kinds = pd.DataFrame(
        {"score": ["entropy"] * 3 + ["other"], "kind": ["pearson", "spearman", "by subject", ""]}
    )
    assert layout.kinds(kinds)["kind"].tolist() == ["over images", "by rank (ρ)", "over subjects"]


def test_changes_are_folded(monkeypatch):
    one = {"condition": "net", "score": "mutual_information"}
    for name in ("AP", "correlation", "R²"):
        one |= {name: 0.25, f"{name}_low": -0.5, f"{name}_high": 1.0}
    shown = layout.changes_display(pd.DataFrame([one]), caption="Table 8", source="made")
    assert shown.folded
    assert shown.frame.index.tolist() == [("net", "mutual information")]
    assert shown.frame.to_numpy().tolist() == [
        ["0.25 [-0.50, 1.00]", "0.25 [-0.50, 1.00]", "0.2 [-0.5, 1.0]"]
    ]
    assert shown.frame.columns.tolist() == [
        "average precision", "r with disagreement", "variance explained, points"
    ]  # fmt: skip


def test_what_is_compared_has_labels(differences):
    found = layout.labelled(differences)
    assert found[["a", "b", "shared"]].to_numpy().tolist() == [
        ["U-Net", "TransUNet", "majority vote"],
        ["U-Net", "TransUNet", "random rater"],
        ["random rater", "majority vote", "U-Net"],
    ]
