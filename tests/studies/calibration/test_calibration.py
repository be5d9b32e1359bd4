"""Chapter 6: calibration errors against torchmetrics and by hand, and its sentences."""

import numpy as np
import pandas as pd
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from paraspine import frames
from paraspine.arrays import SettingsError
from paraspine.evidence import conditions
from paraspine.evidence.words import NOBODY
from paraspine.fusion import majority_vote
from paraspine.studies.calibration import tables, words

NAN = float("nan")


def test_calibration_error_is_torchmetrics(tools):
    rng = np.random.default_rng(0)
    subjects = ["p1", "p2", "p2", "p3", "p3"]
    data = tools.data(rng.integers(0, 3, (5, 3, 6, 5)), subject=subjects)
    lean = 1.5 * tools.one_hot(data.labels[:, 0])
    vote = torch.tensor(np.stack([majority_vote(item, 3) for item in data.labels]))
    runs, means = [], []
    for model in ("unet", "transunet"):
        mean = rng.dirichlet([0.7] * 3, (5, 6, 5)).transpose(0, 3, 1, 2) + lean
        means.append(mean / mean.sum(axis=1, keepdims=True))
        frame = frames.reliability_frame(data, tools.moments(means[-1]))
        runs.append(tools.Sampled(frame, model=model))
    table = tables.calibration_table(conditions.join(runs, "reliability.parquet"))

    def error(mean, vote):
        return float(multiclass_calibration_error(mean, vote, 3, n_bins=10, norm="l1"))

    for row, mean in zip(table.to_dict("records"), means, strict=True):
        given = torch.tensor(mean)
        assert row["mean"] == pytest.approx(error(given, vote), abs=1e-6)
        each = [error(given[[i]], vote[[i]]) for i in range(5)]
        assert row["by_image"] == pytest.approx(np.mean(each), abs=1e-6)
        own = [error(given[i], vote[i]) for i in ([0], [1, 2], [3, 4])]
        assert row["by_subject"] == pytest.approx(np.mean(own), abs=1e-6)
        assert row["over"] + row["under"] == pytest.approx(row["mean"])
        assert row["over"] - row["under"] == pytest.approx(row["balance"])
        right = mean.argmax(axis=1) == vote.numpy()
        assert row["accuracy"] == pytest.approx(right.mean())
        assert row["confidence"] == pytest.approx(mean.max(axis=1).mean(), abs=1e-6)
        for name in ("", "balance_"):
            value = row[name.rstrip("_") or "mean"]
            assert row[f"{name}low"] < value < row[f"{name}high"]


def counts(*lines):
    columns = ["subject", "image", "slice", "region", "bin", "count", "confidence", "correct"]
    return pd.DataFrame(lines, columns=columns).assign(condition="net")


BY_HAND = counts(
    ("p1", "1", 0, "all", 0, 4, 1.6, 2),  # 0.4 said, 0.5 right
    ("p1", "1", 0, "all", 1, 6, 5.4, 3),  # 0.9 said, 0.5 right
    ("p2", "2", 0, "all", 0, 0, 0, 0),
    ("p2", "2", 0, "all", 1, 10, 9, 9),
)


def test_calibration_by_hand():
    row = tables.calibration_table(BY_HAND).iloc[0]
    assert row["over"] == pytest.approx(2.4 / 20)
    assert row["under"] == pytest.approx(0.4 / 20)
    assert row["mean"] == pytest.approx(2.8 / 20)
    assert row["balance"] == pytest.approx(2 / 20)
    assert row["by_image"] == row["by_subject"] == pytest.approx((2.8 / 10 + 0) / 2)
    assert row["accuracy"] == pytest.approx(14 / 20)
    assert row["confidence"] == pytest.approx(16 / 20)
    # Resamples draw p1 twice, both, or p2 twice.
    ends = {"": 0.28, "over_": 0.24, "under_": 0.04, "by_image_": 0.28, "balance_": 0.2}
    for name, high in (ends | {"by_subject_": 0.28}).items():
        assert row[f"{name}low"] == pytest.approx(0, abs=1e-12), name
        assert row[f"{name}high"] == pytest.approx(high), name
    assert (row["without_low"], row["without_high"]) == pytest.approx((0, 0.2))
    assert row["moved_to"] == pytest.approx([0, 0.2][row["moved_by"] == "p2"])
    one = tables.calibration_table(BY_HAND[BY_HAND["subject"] == "p1"]).iloc[0]
    ends = [f"{name}{end}" for name in ("", "over_", "by_image_") for end in ("low", "high")]
    assert one[ends].isna().all()
    assert one["mean"] == pytest.approx(0.28)


def test_curves_are_of_all_voxels_together():
    curve = tables.reliability_curves(BY_HAND, region="all")["net"]
    np.testing.assert_allclose(curve.accuracy, [2 / 4, 12 / 16])
    np.testing.assert_allclose(curve.confidence, [0.4, 0.9])
    assert curve.count.tolist() == [4, 16]
    near = tables.reliability_curves(BY_HAND.assign(region="near"), region="near")
    assert list(near) == ["net"]
    assert tables.reliability_curves(BY_HAND, region="near") == {}


def test_a_subject_of_many_images_counts_once_by_subject():
    frame = counts(
        ("p1", "1", 0, "near", 0, 10, 9, 5),  # 0.9 said, 0.5 right
        ("p1", "1", 1, "near", 0, 30, 27, 27),  # as said
        ("p2", "2", 0, "near", 0, 10, 9, 9),
    )
    row = tables.calibration_table(frame, region="near").iloc[0]
    assert row["mean"] == pytest.approx(4 / 50)
    assert row["by_image"] == pytest.approx(0.4 / 3)
    assert row["by_subject"] == pytest.approx((4 / 40 + 0) / 2)


def test_calibration_where_no_voxel_counts():
    frame = counts(
        ("p1", "1", 0, "near", 0, 0, 0, 0),
        ("p1", "1", 0, "near", 1, 4, 3.6, 2),
        ("p2", "2", 0, "near", 0, 0, 0, 0),
        ("p2", "2", 0, "near", 1, 0, 0, 0),
    )
    row = tables.calibration_table(frame, region="near").iloc[0]
    assert row[["mean", "by_image", "by_subject"]].tolist() == pytest.approx([0.4] * 3)
    nothing = tables.calibration_table(frame[frame["subject"] == "p2"], region="near")
    assert nothing.loc[0, ["mean", "balance", "by_image", "accuracy"]].isna().all()
    assert tables.calibration_table(frame).empty  # no row of the region "all"
    with pytest.raises(SettingsError, match="region: expected 'all' or 'near', got 'far'"):
        tables.calibration_table(frame, region="far")


# --- sentences -------------------------------------------------------------------------------


def calibrated(*rows):
    columns = ["condition", "mean", "low", "high", "balance", "balance_low", "balance_high",
               "decided_by"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


OVER = ("a", 0.0625, 0.05, 0.07, 0.06, 0.05, 0.07, "")
UNDER = ("b", 0.015625, 0.01, 0.02, -0.015, -0.02, -0.01, "")
NEITHER = ("c", 0.03125, 0.01, 0.05, 0.01, -0.02, 0.03, "")


def test_on_which_side_the_error_lies():
    assert words.calibration_sentence(calibrated(OVER, UNDER, NEITHER, OVER), 10) == (
        "The expected calibration error is 0.016 (95 % CI 0.010 to 0.020) (b) to 0.062 (0.050 to "
        "0.070). Of 4 ways of training and sampling 2 are over-confident, 1 are under-confident "
        "and 1 are neither over- nor under-confident."
    )
    assert words.calibration_sentence(calibrated(OVER, OVER), 10).endswith(
        "All are over-confident."
    )
    assert words.calibration_sentence(calibrated(UNDER), 10) == (
        "The expected calibration error is 0.016 (95 % CI 0.010 to 0.020). It is under-confident."
    )
    said = words.calibration_sentence(calibrated(NEITHER), 10)
    assert said.endswith("It is neither over- nor under-confident.")


def test_one_subject_or_few_decide_nothing():
    alone = calibrated((*OVER[:-1], "p7"))
    assert "neither over- nor under-confident" in words.calibration_sentence(alone, 10)
    few = words.calibration_sentence(calibrated(OVER), 5)
    assert few.endswith("5 subjects: on which side it lies is open.")
    assert words.calibration_sentence(calibrated(OVER), 6).endswith("It is over-confident.")


def test_without_a_voxel_there_is_no_error():
    undefined = calibrated(("a", NAN, NAN, NAN, NAN, NAN, NAN, ""))
    assert words.calibration_sentence(undefined, 10).startswith("No voxel counts here")
    assert words.calibration_sentence(calibrated(), 10) == NOBODY
    assert words.headline_calibration(undefined) == "undefined (nobody rated the test images)"
    assert words.region_sentence(undefined, undefined) == ""


def test_the_error_over_all_voxels_is_the_flattering_one():
    near = calibrated(OVER, UNDER)
    everywhere = near.assign(mean=[0.0125, 0.0078125])[::-1]
    assert "the error is 2 to 5 times smaller" in words.region_sentence(near, everywhere)
    assert "the error is 5 times smaller" in words.region_sentence(near[:1], everywhere)


def test_headline_has_both_ends():
    assert words.headline_calibration(calibrated(OVER, NEITHER, UNDER)) == (
        "0.0156 (b) to 0.0625 (a)"
    )
    assert words.headline_calibration(calibrated(NEITHER)) == "0.0312 (c)"
