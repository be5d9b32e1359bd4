"""Candidates, repetitions and measures image by image, by other means."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score

from paraspine import fusion, metrics
from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError
from paraspine.slices import Slices
from paraspine.studies.label_fusion import frames
from tests.studies.label_fusion.small import CANDIDATES, make, trained

SOFT = frames.SOFTSEG[1]


def test_trainings_are_sorted_into_splits_and_candidates():
    found = frames.repetitions(trained(centers=("north", "south")))
    names = ["split 1 (tested on north)", "split 2 (tested on south)"]
    assert [one.name for one in found] == names
    assert list(found[0].networks) == list(CANDIDATES)
    assert [len(runs) for runs in found[0].networks.values()] == [1] * 6 + [3]
    one = found[0]
    assert (one.method(frames.ENSEMBLE), one.method(SOFT)) == ("ensemble", "single")
    assert one.method(SOFT, drawn=True) == "dropout"
    assert one.method(frames.ENSEMBLE, drawn=True) == "ensemble"
    one.parameters["dropout"] = 0.0
    assert one.method(SOFT, drawn=True) == "tta"


def test_a_candidate_is_columns_with_one_label():
    assert SOFT.columns() == {
        "framework": "SoftSeg", "target": "average", "condition": "SoftSeg, average of raters",
    }  # fmt: skip
    assert frames.CONVENTIONAL[0]._replace(scaled=True).label == "conventional, STAPLE, scaled"
    assert frames.ENSEMBLE.label == "loss ensemble"
    assert len({who.label for who in CANDIDATES}) == 7


def test_a_split_without_a_candidate_is_refused():
    with pytest.raises(SettingsError, match="expected runs of 03_train, got none"):
        frames.repetitions([])
    with pytest.raises(SettingsError, match="the same candidates in every split"):
        frames.repetitions(trained()[1:])


def test_images_that_nobody_rated_are_on_no_side(tools):
    labels = np.ones((4, 2, 3, 3))
    rated = np.array([[1, 1], [0, 0], [0, 1], [1, 1]], bool)
    (one,) = frames.repetitions(trained(splits=1))
    one = one.on(tools.data(labels, rated), ["test", "test", "validation", "test"])
    assert list(one.test.table["subject"]) == ["p0", "p3"]
    assert list(one.validation.table["subject"]) == ["p2"]
    nobody = one.on(tools.data(labels, rated), ["train"] * 4)
    assert nobody.references["STAPLE"].shape == (0, 3, 3)


def value(frame, **chosen):
    for name, wanted in chosen.items():
        frame = frame[frame[name] == wanted]
    (found,) = frame["value"]
    return found


def test_staple_and_the_majority_differ_and_hard_measures_know_which_is_which(made):
    one = made.repeated[1]
    item = (one.references["STAPLE"] != one.references["majority"]).mean(axis=(1, 2)).argmax()
    labels = one.test.labels[item]
    voted = fusion.majority_vote(labels, 3)
    staple = fusion.staple(labels, 3).labels
    assert 0.01 < (voted != staple).mean() < 0.2
    hard = made.predictions[one.name, SOFT].test[item].argmax(0)
    at = {"condition": SOFT.label, "split": one.name, "image": one.test.table.iloc[item]["image"]}
    for reference, truth in (("STAPLE", staple), ("majority", voted)):
        for measure, score in (("dice", f1_score), ("precision", precision_score)):
            found = value(made.frame, measure=measure, reference=reference, **{"class": "ES"}, **at)
            assert found == pytest.approx(score(truth.ravel() == 2, hard.ravel() == 2))


def test_soft_measures_by_other_means(made):
    one, item = made.repeated[0], 1
    mean = made.predictions[one.name, SOFT].test[item]
    at = {"condition": SOFT.label, "split": one.name, "image": one.test.table.iloc[item]["image"]}
    labels = one.test.labels[item]
    share = (labels == 1).mean(axis=0)
    brier = ((mean[1] - share) ** 2).mean()
    assert value(made.frame, measure="brier", **{"class": "MF"}, **at) == pytest.approx(brier)
    entropy = -(mean * np.log(mean)).sum(0)
    assert value(made.frame, measure="entropy", **at) == pytest.approx(entropy.mean(), rel=1e-5)
    soft = fusion.soft_labels(labels, 3).astype(float)
    raters = -(soft * np.log(np.where(soft > 0, soft, 1))).sum(0)
    assert value(made.frame, measure="gt_entropy", **at) == pytest.approx(raters.mean())
    total = abs(entropy.sum() - raters.sum())
    assert value(made.frame, measure="entropy_error_total", **at) == pytest.approx(total, rel=1e-4)
    each = value(made.frame, measure="entropy_error", **at)
    assert each == pytest.approx(total / 512, rel=1e-4)
    drawn = made.predictions[one.name, SOFT].drawn[item]
    expected = metrics.generalised_energy_distance(drawn, labels, 3)
    assert value(made.frame, measure="energy_distance", **at) == pytest.approx(expected)
    iou = metrics.hungarian_iou(drawn, labels, 3)
    assert value(made.frame, measure="matched_iou", **at) == pytest.approx(iou)


def test_by_image_is_the_mean_over_structures_without_background(made):
    table = frames.by_image(made.frame, "brier")
    assert list(table) == [who.label for who in CANDIDATES]
    assert len(table) == sum(len(one.test) for one in made.repeated)
    at = table.index[3]
    own = made.frame[(made.frame["image"] == at[1]) & (made.frame["split"] == at[3])]
    own = own[(own["measure"] == "brier") & (own["condition"] == SOFT.label)]
    by = own.set_index("class")["value"]
    assert table.loc[at, SOFT.label] == pytest.approx((by["MF"] + by["ES"]) / 2)
    first, second = (frames.by_image(made.frame, "dice", r) for r in frames.REFERENCES)
    assert not np.allclose(first, second)


@pytest.mark.parametrize("raters", [1, 2])
def test_disagreement_takes_two_raters(tools, raters):
    repeated, predictions = make(tools, classes=2, raters=raters, images=4, splits=1)
    frame = frames.fusion_frame(repeated, predictions)
    measured = frame.groupby("measure")["value"].count()
    names = ["gt_entropy", "entropy_error", "energy_distance", "matched_iou"]
    assert (measured[names] > 0).all() == (measured[names] > 0).any() == (raters == 2)
    assert measured["brier"] > 0


def test_a_volume_is_measured_as_one_image():
    # 3 patients x 4 slices; a lesion of 36 voxels in slice 1, predicted perfectly, and one false
    # voxel in each other slice: Dice 72 / (72 + 3) = 0.96 per patient, 0.25 by slice.
    n, size = 12, (256, 240)
    labels = np.zeros((n, 2, *size), np.uint8)
    labels[1::4, :, 100:106, 50:56] = 1
    lesion = labels[:, 0].astype(np.float32)
    lesion[np.arange(n) % 4 != 1, 7, 9] = 1
    predicted = frames.Predicted(lesion[:0, None], np.stack([1 - lesion, lesion], axis=1))
    table = pd.DataFrame(
        {
            "subject": np.repeat(["a", "b", "c"], 4), "image": np.repeat(["a", "b", "c"], 4),
            "slice": np.tile(range(4), 3), "row": np.repeat(range(3), 4),
        }
    )  # fmt: skip
    data = Slices(
        np.zeros((n, 1, *size), np.float32), labels, np.ones((n, 2), bool), table,
        ClassTable(("background", "lesion")), ("x", "y"), (1.0, 1.0),
    )  # fmt: skip
    one = frames.Repetition("split 1", {}, {}).on(data, ["test"] * n)
    frame = frames.fusion_frame([one], {("split 1", SOFT): predicted})
    dice = frame[(frame["measure"] == "dice") & (frame["reference"] == "STAPLE")]
    assert dice["value"].to_numpy() == pytest.approx([0.96] * 3)
    assert list(dice["subject"]) == ["a", "b", "c"]
    brier = frame[(frame["measure"] == "brier") & (frame["class"] == "lesion")]
    assert brier["value"].to_numpy() == pytest.approx([3 / (4 * 256 * 240)] * 3)
