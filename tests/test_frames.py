"""Frames of tiny images, worked out by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from paraspine import frames, runs
from paraspine.arrays import ShapeError
from paraspine.frames import samples_of

LN2 = np.log(2)
#: Entropy of two votes against one.
SPLIT = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3)


def values(frame, measure):
    """Class to value of one measure in a frame of one image."""
    found = frames.rows(frame, measure)
    assert found["class"].is_unique
    return dict(zip(found["class"], found["value"], strict=True))


def close(found, **expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6, nan_ok=True), name


# --- raters ----------------------------------------------------------------------------------


def test_disagreement_of_three_raters(three):
    frame = frames.rater_frame(three)
    close(values(frame, "raters"), all=3)
    close(values(frame, "gt_entropy"), all=SPLIT / 2)
    close(values(frame, "tie_rate"), all=0)
    close(values(frame, "pairwise_dice"), MF=(2 / 3 + 2 / 3 + 1) / 3, ES=1 / 3)
    assert list(frame.columns) == ["subject", "image", "slice", "class", "measure", "value"]
    assert frame["value"].dtype == float


def test_two_raters_tie_and_blanks_drop_out(tools):
    labels = [[[[1, 1], [0, 2]], [[1, 0], [0, 2]], [[2, 2], [2, 2]]]]
    frame = frames.rater_frame(tools.data(labels, [[True, True, False]]))
    close(values(frame, "raters"), all=2)
    close(values(frame, "gt_entropy"), all=LN2 / 4)
    close(values(frame, "tie_rate"), all=1 / 4)
    close(values(frame, "pairwise_dice"), MF=2 / 3, ES=1)


def test_one_rater_or_none_disagree_with_nobody(tools):
    labels = np.ones((2, 2, 2, 2))
    frame = frames.rater_frame(tools.data(labels, [[True, False], [False, False]]))
    assert frames.rows(frame, "raters")["value"].tolist() == [1, 0]
    for name in ("gt_entropy", "tie_rate", "pairwise_dice"):
        assert frames.rows(frame, name)["value"].isna().all(), name


def test_a_class_that_nobody_marked_is_undefined_and_one_that_one_marked_is_zero(tools):
    frame = frames.rater_frame(tools.data([[[[1, 0]], [[0, 0]]]]))
    close(values(frame, "pairwise_dice"), MF=0, ES=np.nan)


def test_pairs_are_named(three):
    frame = frames.pairwise_frame(three)
    found = frame.set_index(["pair", "class"])["value"].to_dict()
    assert found == pytest.approx(
        {
            ("a and b", "MF"): 2 / 3,
            ("a and b", "ES"): 1,
            ("a and c", "MF"): 2 / 3,
            ("a and c", "ES"): 0,
            ("b and c", "MF"): 1,
            ("b and c", "ES"): 0,
        }
    )


def test_pairs_of_those_who_rated(tools):
    labels = np.zeros((3, 3, 1, 2))
    labels[:, :, 0, 0] = 1
    rated = [[True, False, True], [False, True, False], [False, False, False]]
    frame = frames.pairwise_frame(tools.data(labels, rated, raters=("anna", "bo", "cy")))
    assert frame[["image", "pair"]].drop_duplicates().to_numpy().tolist() == [
        ["0.nii.gz", "anna and cy"]
    ]
    none = frames.pairwise_frame(tools.data(labels[:, :1]))
    assert none.empty
    assert "pair" in none


def test_frames_carry_what_the_cohort_knows_of_its_images(tools):
    data = tools.data(np.ones((2, 2, 2, 2)), level=["L3", "S1"], age=[40, 50], note=["x", "y"])
    frame = frames.rater_frame(data)
    assert list(frame.columns[:5]) == ["subject", "image", "slice", "level", "age"]
    assert frame.groupby("image")["level"].unique().str[0].tolist() == ["L3", "S1"]
    assert "note" not in frame


# --- predictions -----------------------------------------------------------------------------


def test_a_perfect_certain_prediction(three, tools):
    moments = tools.moments(tools.one_hot([[[1, 0], [0, 2]]]))
    frame = frames.prediction_frame(three, moments)
    for name in ("dice", "iou", "precision", "recall"):
        close(values(frame, name), MF=1, ES=1)
    close(values(frame, "error_rate"), all=0)
    close(values(frame, "entropy"), all=0)
    close(values(frame, "gt_entropy"), all=SPLIT / 2)


def test_a_wrong_prediction_by_hand(three, tools):
    moments = tools.moments(tools.one_hot([[[1, 1], [0, 0]]]))
    frame = frames.prediction_frame(three, moments)  # the vote is [[1, 0], [0, 2]]
    close(values(frame, "dice"), MF=2 / 3, ES=0)
    close(values(frame, "iou"), MF=1 / 2, ES=0)
    close(values(frame, "precision"), MF=1 / 2, ES=np.nan)
    close(values(frame, "recall"), MF=1, ES=0)
    close(values(frame, "error_rate"), all=1 / 2)
    # (S - P)²: MF is said where one of three raters says it, ES nowhere though two say it.
    close(
        values(frame, "brier"),
        background=(4 / 9 + 4 / 9) / 4,
        MF=(4 / 9) / 4,
        ES=(4 / 9) / 4,
    )


def test_uncertainties_by_hand(three, tools):
    mean = tools.one_hot([[[1, 0], [0, 2]]])
    mean[0, :, 0, 1] = [0.5, 0.5, 0]
    expected = np.zeros((1, 2, 2))
    expected[0, 0, 1] = LN2 / 4
    frame = frames.prediction_frame(three, tools.moments(mean, expected, samples=10))
    close(values(frame, "entropy"), all=LN2 / 4)
    close(values(frame, "expected_entropy"), all=LN2 / 16)
    close(values(frame, "mutual_information"), all=3 * LN2 / 16)


def test_a_single_pass_has_no_mutual_information(three, tools):
    moments = tools.moments(np.full((1, 3, 2, 2), 1 / 3), np.full((1, 2, 2), np.log(3)))
    assert samples_of(moments) == 1
    frame = frames.prediction_frame(three, moments)
    close(values(frame, "entropy"), all=np.log(3))
    close(values(frame, "expected_entropy"), all=np.nan)
    close(values(frame, "mutual_information"), all=np.nan)


def test_unseen_voxels_are_left_out_of_everything_but_the_gt_entropy(three, tools):
    mean = tools.one_hot([[[1, 1], [0, 0]]])
    mean[0, :, 1, 1] = np.nan  # the only voxel of ES
    mean[0, :, 0, 0] = [0.2, 0.8, 0]
    frame = frames.prediction_frame(three, tools.moments(mean, samples=4))
    close(values(frame, "dice"), MF=2 / 3, ES=np.nan)
    close(values(frame, "error_rate"), all=1 / 3)
    entropy = -(0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    close(values(frame, "entropy"), all=entropy / 3)
    close(values(frame, "mutual_information"), all=entropy / 3)
    close(values(frame, "gt_entropy"), all=SPLIT / 2)
    close(
        values(frame, "brier"),
        background=(0.2**2 + 4 / 9) / 3,
        MF=(0.2**2 + 4 / 9) / 3,
        ES=0,
    )


def test_nothing_seen_gives_nothing(three, tools):
    frame = frames.prediction_frame(three, tools.moments(np.full((1, 3, 2, 2), np.nan)))
    close(values(frame, "gt_entropy"), all=SPLIT / 2)
    assert frames.rows(frame, "gt_entropy").index.isin(frame.dropna().index).all()
    assert frame["value"].notna().sum() == 1


def test_one_rater_allows_dice_but_no_gt_entropy(tools):
    data = tools.data([[[[1, 0], [0, 2]]]])
    frame = frames.prediction_frame(data, tools.moments(tools.one_hot([[[1, 0], [0, 2]]])))
    close(values(frame, "dice"), MF=1, ES=1)
    close(values(frame, "gt_entropy"), all=np.nan)
    close(values(frame, "brier"), background=0, MF=0, ES=0)


def test_images_that_nobody_rated_keep_their_uncertainty(tools):
    data = tools.data(np.ones((2, 2, 2, 2)), [[False, False], [True, True]])
    moments = tools.moments(np.full((2, 3, 2, 2), 1 / 3))
    frame = frames.prediction_frame(data, moments)
    first = frame[frame["image"] == "0.nii.gz"]
    assert set(first["measure"]) == {"entropy", "expected_entropy", "mutual_information"}
    assert frames.rows(first, "entropy")["value"].item() == pytest.approx(np.log(3), abs=1e-6)
    assert (frame[frame["measure"] == "dice"]["image"] == "1.nii.gz").all()


def test_other_images_than_the_samples_are_refused(three, tools):
    moments = tools.moments(np.full((2, 3, 2, 2), 1 / 3))
    for function in (
        frames.prediction_frame,
        frames.reliability_frame,
        frames.error_arrays,
    ):
        with pytest.raises(ShapeError, match="select the same images for both"):
            function(three, moments)


# --- reliability -----------------------------------------------------------------------------


def test_counts_of_a_reliability_diagram(tools):
    """A row of 12 pixels, the first marked: 6 of them are within 5 pixels."""
    labels = np.zeros((1, 2, 1, 12))
    labels[:, :, 0, 0] = 1
    data = tools.data(labels, classes=2)
    mean = np.zeros((1, 2, 1, 12))
    mean[0, 0] = 0.95
    mean[0, 0, 0, :3] = [0.45, 0.35, 0.05]  # right, wrong, wrong
    mean[0, 0, 0, 11] = np.nan
    mean[0, 1] = 1 - mean[0, 0]
    frame = frames.reliability_frame(data, tools.moments(mean), bins=4)
    assert list(frame.columns[:3]) == ["subject", "image", "slice"]
    found = {
        region: part[["bin", "count", "confidence", "correct"]].to_numpy().tolist()
        for region, part in frame.groupby("region")
    }
    sums = pytest.approx
    assert found["all"] == [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [2, 2, sums(0.55 + 0.65), 1],
        [3, 9, sums(9 * 0.95), 8],
    ]
    assert found["near"] == [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [2, 2, sums(0.55 + 0.65), 1],
        [3, 4, sums(4 * 0.95), 3],
    ]


def test_nothing_is_near_where_nobody_marked_anything(tools):
    data = tools.data(np.zeros((1, 2, 3, 3)))
    frame = frames.reliability_frame(data, tools.moments(np.full((1, 3, 3, 3), 1 / 3)))
    assert frame.groupby("region")["count"].sum().to_dict() == {"all": 9, "near": 0}


def test_no_rated_image_gives_an_empty_frame_with_its_columns(tools):
    data = tools.data(np.zeros((1, 2, 3, 3)), [[False, False]])
    moments = tools.moments(np.full((1, 3, 3, 3), 1 / 3))
    frame = frames.reliability_frame(data, moments)
    assert frame.empty
    assert {"subject", "image", "region", "bin", "count", "confidence", "correct"} <= set(frame)
    assert frames.error_arrays(data, moments) == {}
    assert frames.error_detectors({}) == {}


# --- error detection -------------------------------------------------------------------------

SUBJECTS = ["a/b", "a", "ü ñ", "x.npy", "..", "entropy/scores", "1"]


def test_error_detectors_come_back_from_a_file_under_any_name(tools, tmp_path):
    rng = np.random.default_rng(0)
    n = len(SUBJECTS)
    labels = rng.integers(0, 3, (2 * n, 3, 5, 5))
    data = tools.data(labels, subject=[*SUBJECTS, *SUBJECTS])
    mean = rng.dirichlet([1, 1, 1], (2 * n, 5, 5)).transpose(0, 3, 1, 2)
    mean[0, :, 0, 0] = np.nan
    entropy = -(mean * np.log(mean)).sum(axis=1)
    moments = tools.moments(mean, rng.random((2 * n, 5, 5)) * entropy, samples=3)

    run = runs.start(tmp_path / "run", {})
    run.write_arrays("errors.npz", **frames.error_arrays(data, moments))
    found = frames.error_detectors(run.read_arrays("errors.npz"))
    assert set(found) == {"entropy", "expected_entropy", "mutual_information"}
    scores = {
        "entropy": entropy,
        "expected_entropy": moments.expected_entropy,
        "mutual_information": entropy - moments.expected_entropy,
    }
    from paraspine.fusion import majority_vote

    vote = np.stack([majority_vote(item, 3) for item in labels])
    wrong = np.nan_to_num(moments.mean).argmax(axis=1) != vote
    for name, by_subject in found.items():
        assert set(by_subject) == set(SUBJECTS)
        for place, subject in enumerate(SUBJECTS):
            both = [place, place + n]
            score, error = scores[name][both].ravel(), wrong[both].ravel()
            seen = ~np.isnan(score)
            expected = average_precision_score(error[seen], score[seen])
            assert by_subject[subject].average_precision() == pytest.approx(expected, abs=1e-6)
            assert by_subject[subject].left_out == (~seen).sum()


def test_a_single_pass_leaves_entropy_alone(three, tools):
    moments = tools.moments(np.full((1, 3, 2, 2), 1 / 3))
    assert set(frames.error_detectors(frames.error_arrays(three, moments))) == {"entropy"}
