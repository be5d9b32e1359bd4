"""Conditions: columns with one label, and frames of several runs."""

import numpy as np
import pandas as pd
import pytest

from paraspine import frames
from paraspine.evidence import conditions, networks, show, words

UNET, TRANSUNET = "U-Net, majority vote, one pass", "TransUNet, random rater, one pass"


@pytest.fixture
def study(tools):
    """Two conditions on five images of three subjects."""
    rng = np.random.default_rng(0)
    data = tools.data(rng.integers(0, 3, (5, 3, 4, 6)), subject=["p1", "p1", "p2", "p3", "p3"])
    sampled = []
    for model, fusion in (("unet", "majority"), ("transunet", "random")):
        mean = rng.dirichlet([0.7] * 3, (5, 4, 6)).transpose(0, 3, 1, 2)
        frame = frames.prediction_frame(data, tools.moments(mean))
        sampled.append(tools.Sampled(frame, model=model, fusion=fusion))
    return sampled, conditions.join(sampled, "measures.parquet")


def test_labels_are_of_network_target_seed_and_method(tools):
    sampled = [
        tools.Sampled(fusion="random", method="tta"),
        tools.Sampled(method="ensemble", members=[1, 2, 3]),
        tools.Sampled(model="mine", fusion="rater:anna, MD"),
    ]
    found = conditions.join_parameters(sampled)
    assert found["condition"].tolist() == [
        "U-Net, random rater, test-time augmentation",
        "U-Net, majority vote, ensemble of 3 seeds",
        "mine, rater anna, MD, one pass",
    ]
    assert found["method_label"].tolist()[1] == "ensemble of 3 seeds"
    sampled.append(tools.Sampled(seed=7))
    last = conditions.join_parameters(sampled)["condition"].tolist()[-1]
    assert last == "U-Net, majority vote, seed 7, one pass"


def test_frames_are_joined_in_the_order_of_the_runs(study):
    sampled, frame = study
    assert conditions.conditions(frame) == [UNET, TRANSUNET]
    assert len(frame) == sum(len(run.frame) for run in sampled)
    turned = conditions.join(sampled[::-1], "measures.parquet")
    assert conditions.conditions(turned) == [TRANSUNET, UNET]


def test_a_result_gets_the_columns_of_its_condition_and_keeps_its_order(study):
    _, frame = study
    found = pd.DataFrame({"who": [TRANSUNET, UNET, TRANSUNET], "value": [3, 1, 2]})
    table = conditions.with_condition(found, frame, "who")
    assert table["value"].tolist() == [3, 1, 2]
    assert table["model"].tolist() == ["transunet", "unet", "transunet"]
    assert table["fusion"].tolist() == ["random", "majority", "random"]
    again = conditions.with_condition(table, frame, "who")
    assert again.columns.tolist() == table.columns.tolist()


def test_wide_has_a_row_for_each_image_and_condition(study):
    _, frame = study
    images = conditions.wide(frame)
    assert len(images) == 10
    one = frame[(frame["image"] == "3.nii.gz") & (frame["condition"] == TRANSUNET)]
    row = images[(images["image"] == "3.nii.gz") & (images["condition"] == TRANSUNET)].iloc[0]
    for name in ("entropy", "gt_entropy", "error_rate"):
        assert row[name] == frames.rows(one, name)["value"].item()


def test_images_of_unknown_age_are_not_lost(tools):
    rng = np.random.default_rng(1)
    data = tools.data(
        rng.integers(0, 3, (4, 2, 4, 4)), age=[40, np.nan, 1, 2], sex=["F", None, None, "M"]
    )
    mean = rng.dirichlet([1] * 3, (4, 4, 4)).transpose(0, 3, 1, 2)
    run = tools.Sampled(frames.prediction_frame(data, tools.moments(mean)))
    assert len(conditions.wide(conditions.join([run], "measures.parquet"))) == 4


def test_means_over_images_and_over_subjects(study):
    _, frame = study
    table = conditions.summarise(frame, "dice", ["condition", "class"])
    dice = frames.rows(frame, "dice")
    expected = dice.groupby(["condition", "class"], sort=False)["value"].mean()
    found = table.set_index(["condition", "class"])["mean"]
    assert found.to_dict() == pytest.approx(expected.to_dict())
    assert (table["clusters"] == 3).all()
    assert conditions.mean_of(frame, "dice").value == pytest.approx(dice["value"].mean())
    own = conditions.by_subject(frame)
    part = own[(own["measure"] == "entropy") & (own["condition"] == UNET)].set_index("subject")
    images = conditions.wide(frame)
    images = images[images["condition"] == UNET]
    assert part["value"].to_dict() == pytest.approx(
        images.groupby("subject")["entropy"].mean().to_dict()
    )


def test_networks_stand_side_by_side(study):
    _, frame = study
    found = pd.DataFrame(
        {"condition": [UNET, TRANSUNET], "r": [0.5, 0.25], "low": [0.25, -0.5], "high": [0.75, 1],
         "x": [1, 2], "x_low": [0, 1], "x_high": [2, 3], "said": ["so", "no"]}
    )  # fmt: skip
    cells = {"": show.interval("r", 2), "x": show.interval("x", 0), "w": show.words("said")}
    printed = pd.DataFrame(
        {"model": ["transunet"], "fusion": ["random"], "method": ["single"], "published": [0.125]}
    )
    shown = networks.by_network(found, frame, cells, printed, 3, caption="Table 9", source="made")
    assert shown.frame.index.tolist() == [
        ("one pass", "majority vote"),
        ("one pass", "random rater"),
    ]
    assert shown.frame.columns.tolist() == [
        "U-Net", "U-Net: x", "U-Net: w", "U-Net: paper",
        "TransUNet", "TransUNet: x", "TransUNet: w", "TransUNet: paper",
    ]  # fmt: skip
    first, second = shown.frame.to_numpy().tolist()
    assert first[:4] == ["0.50 [0.25, 0.75]", "1 [0, 2]", "so", "–"]
    assert second[4:] == ["0.25 [-0.50, 1.00]", "2 [1, 3]", "no", "0.125"]
    assert (shown.caption, shown.source, shown.folded) == ("Table 9", "made", False)


def test_few_networks_are_drawn(tools):
    runs = [
        tools.Sampled(pd.DataFrame({"value": [0]}), model=model, fusion=fusion, method=method)
        for model in ("unet", "transunet")
        for fusion in ("random", "majority")
        for method in ("tta", "single", "dropout")
    ]
    frame = conditions.join(runs, "measures.parquet")
    found = networks.few(frame[["condition"]], frame)
    assert found[["model", "method"]].to_numpy().tolist() == [
        ["unet", "single"], ["unet", "dropout"], ["transunet", "single"], ["transunet", "dropout"],
    ]  # fmt: skip
    assert set(found["fusion"]) == {"random"}
    assert networks.few(frame[["condition"]].iloc[:0], frame).empty


def test_ensembles_in_words():
    seeds, folds = {"kind": "independent seeds", "passes": 3}, {"kind": "folds", "passes": 2}
    other = {"kind": "trainings that differ in epochs", "passes": 4}
    assert conditions.ensemble_words([seeds, seeds | {"passes": 5}, folds, other]) == (
        "ensembles of 3 or 5 trainings with independent seeds, ensembles of 2 trainings on another "
        "fold each and ensembles of 4 trainings that differ in epochs"
    )


# --- words that several studies share --------------------------------------------------------


def test_what_p_decides_over_a_family():
    table = pd.DataFrame({"clusters": 10, "p": 0.01, "p_holm": [0.04, 0.06, 0.01]})
    assert words.family_words(table).endswith("over 3 tests, is below 0.05 for 2 of them.")
    few = table.assign(clusters=6)  # 3 / 32
    assert "With 6 subjects no *p* adjusted over 3 tests can fall below 0.09" in words.family_words(
        few
    )
    assert "can fall below 1.00" in words.family_words(table.assign(clusters=[10, 2, 3]))
    edge = table.assign(clusters=7)  # 3 / 64 is below 0.05
    assert "is below 0.05" in words.family_words(edge)


def test_ends_are_highest_and_lowest():
    table = pd.DataFrame({"class": list("abc"), "mean": [0.5, 0.75, 0.25]})
    assert [row["class"] for row in words.ends(table)] == ["b", "c"]
