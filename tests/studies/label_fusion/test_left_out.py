"""Leave one rater out: worked answers, a slow reference, words in every direction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, jaccard_score

from paraspine import fusion
from paraspine.arrays import SettingsError, ShapeError
from paraspine.studies.label_fusion import left_out

FEW = {"resamples": 200}


def test_scores_by_hand():
    # Others fused: for a: b = c mark 2 pixels; for b and c: a and the other tie where they differ.
    labels = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]])
    prediction = [1, 0, 0, 0]
    rater, network = left_out.left_out_scores(labels, prediction, 2)
    tied = fusion.majority_vote(labels[[0, 2]], 2)
    assert tied[[0, 1, 3]].tolist() == [1, 1, 0]
    own = 2 * 2 / (2 + tied.sum())
    assert rater[:, 0] == pytest.approx([2 * 2 / (3 + 2), own, own])
    far = 2 * 1 / (1 + tied.sum())
    assert network[:, 0] == pytest.approx([2 * 1 / (1 + 2), far, far])


def test_five_raters_by_hand():
    # Four others never tie here: three of them agree everywhere.
    same = [1, 1, 0, 0]
    labels = np.array([same, same, same, same, [0, 1, 1, 0]])
    rater, network = left_out.left_out_scores(labels, [1, 1, 1, 0], 3, measure="iou")
    assert rater[:, 0] == pytest.approx([1, 1, 1, 1, 1 / 3])
    assert network[:, 0] == pytest.approx([2 / 3] * 5)
    assert np.isnan(rater[:, 1]).all()  # nobody marked the second structure
    assert np.isnan(network[:, 1]).all()


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["dice", "iou"]),
    st.sampled_from(["majority", "staple"]),
)
def test_a_slow_reference(seed, measure, reference):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (5, 6))
    labels = np.where(rng.random((4, 5, 6)) < 0.7, truth, rng.integers(0, 3, (4, 5, 6)))
    prediction = np.where(rng.random((5, 6)) < 0.7, truth, 0)
    rater, network = left_out.left_out_scores(
        labels, prediction, 3, measure=measure, reference=reference
    )
    score = {"dice": f1_score, "iou": jaccard_score}[measure]
    for r in range(4):
        others = labels[[k for k in range(4) if k != r]]
        fused = (
            fusion.majority_vote(others, 3)
            if reference == "majority"
            else fusion.staple(others, 3).labels
        )
        for c in (1, 2):
            for found, side in ((rater, labels[r]), (network, prediction)):
                masks = (fused == c).ravel(), (side == c).ravel()
                expected = score(*masks, zero_division=0) if (masks[0] | masks[1]).any() else np.nan
                np.testing.assert_allclose(found[r, c - 1], expected)
    order = rng.permutation(4)  # raters have no order
    again = left_out.left_out_scores(
        labels[order], prediction, 3, measure=measure, reference=reference
    )
    np.testing.assert_allclose(again[1], network[order], atol=1e-12)


def cohort(tools, wobble, subjects=6, raters=4, seed=0, **columns):
    """Raters whose bars end in a row of their own, and what they agree on."""
    rng = np.random.default_rng(seed)
    rows = np.arange(20)[:, None]
    heights = 10 + rng.integers(-wobble, wobble + 1, (subjects, raters))
    labels = np.stack([[np.broadcast_to(rows < h, (20, 4)) for h in image] for image in heights])
    return tools.data(labels, classes=2, **columns), np.broadcast_to(rows < 10, (subjects, 20, 4))


def test_a_network_in_the_middle_is_closer_than_a_rater(tools):
    data, middle = cohort(tools, 3, subjects=24)
    far = np.zeros_like(middle)
    far[:, :2] = True
    frame = left_out.left_out_frame(data, {"unet": middle, "lazy": far})
    assert len(frame) == 24 * 4 * 3
    assert set(frame["condition"]) == {left_out.LEFT_OUT, "unet", "lazy"}
    table = left_out.left_out_table(frame, **FEW).set_index("condition")
    assert table.loc["unet", "n"] == 96
    assert table.loc["unet", "clusters"] == 24
    assert table.loc["unet", "low"] > 0
    assert table.loc["lazy", "high"] < 0
    mean = frame.groupby("condition")["value"].mean()
    assert table.loc["unet", "value"] == pytest.approx(mean["unet"])
    assert table.loc["lazy", "value_left_out"] == pytest.approx(mean[left_out.LEFT_OUT])
    assert table.loc["unet", "mean"] == pytest.approx(mean["unet"] - mean[left_out.LEFT_OUT])
    each = left_out.left_out_table(frame, by="rater", **FEW)
    assert each.groupby("condition")["n"].unique().map(list).to_dict() == {
        "lazy": [24],
        "unet": [24],
    }
    words = left_out.left_out_sentence(table.reset_index(), data, each)
    assert "unet is closer to the others than a left-out rater is: Dice 0." in words
    assert "lazy is further from the others than a left-out rater is" in words
    assert "not as close as a, b, c and d" in words
    assert words.endswith("(made by hand)")


def test_a_rater_again_is_not_told_apart(tools):
    data, _ = cohort(tools, 3, seed=4)
    frame = left_out.left_out_frame(data, {"copy": data.labels[:, 1]}, reference="staple")
    table = left_out.left_out_table(frame, **FEW)
    assert table["low"][0] < 0 < table["high"][0]
    words = left_out.left_out_sentence(table, data)
    assert "copy is not told apart from a left-out rater: Dice" in words
    own = frame[frame["rater"] == "b"].pivot(index="subject", columns="condition", values="value")
    assert (own["copy"] == own[left_out.LEFT_OUT]).all()


def test_one_subject_has_no_interval(tools):
    data, middle = cohort(tools, 2, subject=["p"] * 6)
    table = left_out.left_out_table(left_out.left_out_frame(data, {"unet": middle}), **FEW)
    words = left_out.left_out_sentence(table, data)
    assert (
        "not told apart from a left-out rater (there is no interval with a single subject)" in words
    )


@pytest.mark.parametrize(
    ("raters", "found"), [(1, "at most 1 rater rated"), (2, "at most 2 raters rated")]
)
def test_too_few_raters_say_why_not(tools, raters, found):
    data, middle = cohort(tools, 2, raters=raters)
    frame = left_out.left_out_frame(data, {"unet": middle})
    assert frame.empty
    table = left_out.left_out_table(frame, by="rater", **FEW)
    assert table.empty
    words = left_out.left_out_sentence(left_out.left_out_table(frame, **FEW), data, table)
    assert words.startswith(f"**Left out: {found} the same image.**")
    assert "takes 3: one to leave out and two to make the reference" in words
    with pytest.raises(ShapeError, match="at least 3 raters"):
        left_out.left_out_scores(data.labels[0], middle[0], 2)


def test_images_with_few_raters_are_left_out_and_counted(tools):
    rated = np.ones((6, 4), bool)
    rated[0, 1:] = False
    rated[1, 0] = False
    data, middle = cohort(tools, 2, rated=rated)
    frame = left_out.left_out_frame(data, {"unet": middle})
    assert frame.groupby("subject").size().to_dict() == {
        f"p{i}": 6 if i == 1 else 8 for i in range(1, 6)
    }
    assert set(frame.loc[frame["subject"] == "p1", "rater"]) == {"b", "c", "d"}
    words = left_out.left_out_sentence(left_out.left_out_table(frame, **FEW), data)
    assert "1 image with fewer than 3 raters left out" in words


def test_structures_that_nobody_marked(tools):
    data, middle = cohort(tools, 2)
    empty = tools.data(np.zeros_like(data.labels), classes=2)
    nothing = np.zeros_like(middle, dtype=int)
    table = left_out.left_out_table(left_out.left_out_frame(empty, {"unet": nothing}), **FEW)
    assert table["dropped"][0] == 24
    assert "no structure is marked" in left_out.left_out_sentence(table, empty)
    none = left_out.left_out_table(left_out.left_out_frame(data, {}), **FEW)
    assert "there is no network" in left_out.left_out_sentence(none, data)


def test_messages(tools):
    data, middle = cohort(tools, 2)
    with pytest.raises(ShapeError, match="unet: expected one label map per image"):
        left_out.left_out_frame(data, {"unet": middle[:2]})
    with pytest.raises(SettingsError, match="dice, iou"):
        left_out.left_out_frame(data, {"unet": middle}, measure="recall")
    with pytest.raises(SettingsError, match="'majority' or 'staple'"):
        left_out.left_out_frame(data, {"unet": middle}, reference="average")
