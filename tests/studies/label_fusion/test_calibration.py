"""Calibration of candidates: voxels by other means, thresholds and temperatures by validation."""

import numpy as np
import pytest

from paraspine import fusion, metrics, statistics
from paraspine.studies.label_fusion import calibration, frames
from tests.studies.label_fusion.small import CANDIDATES, make

WHO = frames.SOFTSEG[0]


def test_the_ece_of_a_split_is_that_of_its_voxels_and_their_mean_is_given(made):
    table = calibration.fusion_calibration(made.counts).set_index("condition")
    own = []
    for one in made.repeated:
        total = metrics.Calibration(10)
        total.update_batch(made.predictions[one.name, WHO].test, one.references["STAPLE"])
        own.append(total.error())
    row = table.loc[WHO.label]
    assert row["mean"] == pytest.approx(np.mean([e.expected for e in own]))
    assert row["over"] == pytest.approx(np.mean([e.over for e in own]))
    assert row["under"] == pytest.approx(np.mean([e.under for e in own]))
    assert row["gap"] == pytest.approx(np.mean([e.over - e.under for e in own]))
    assert row["low"] <= row["mean"] <= row["high"]
    assert row["gap_low"] <= row["gap"] <= row["gap_high"]
    assert row["sd"] == pytest.approx(np.std([e.expected for e in own], ddof=1))
    assert (row["splits"], row["subjects"], row["framework"]) == (2, 4, "SoftSeg")
    assert table.loc[CANDIDATES[0].label, "gap_low"] > 0  # the sharpest by far
    assert table.loc[frames.SOFTSEG[1].label, "gap_high"] < 0  # the softest
    near = calibration.fusion_calibration(made.counts, region="near").set_index("condition")
    assert (near["mean"] != table["mean"]).all()


def test_intervals_draw_subjects_with_all_their_images(made):
    """The replicates by hand: each subject's counts as often as it was drawn, split by split."""
    table = calibration.fusion_calibration(made.counts).set_index("condition")
    own = made.counts[(made.counts["condition"] == WHO.label) & (made.counts["region"] == "all")]
    every = made.counts[made.counts["region"] == "all"].sort_values("subject", kind="stable")
    values = every[calibration.CONTENT]
    draws = statistics.cluster_weights(every["subject"].to_numpy(), values=values)
    found = []
    for weights in draws.weights:
        times = own["subject"].map(dict(zip(draws.labels, weights, strict=True)))
        errors = []
        for split in set(own["split"]):
            part = own[own["split"] == split].assign(times=times)
            sums = {
                n: (part[n] * part["times"]).groupby(part["bin"]).sum()
                for n in ("count", "confidence", "correct")
            }
            if sums["count"].sum():
                gap = (sums["confidence"] - sums["correct"]).abs().sum()
                errors.append(gap / sums["count"].sum())
        found.append(np.mean(errors))
    expected = statistics.percentile_interval(found)
    assert table.loc[WHO.label, ["low", "high"]].tolist() == pytest.approx(expected)


def test_diagrams_pool_the_splits(made):
    found = calibration.fusion_diagrams(made.counts, [WHO], region="all")
    assert list(found) == [WHO.label]
    curve = found[WHO.label]
    assert curve.count.sum() == sum(np.prod(o.references["STAPLE"].shape) for o in made.repeated)
    assert curve.count.dtype == np.int64
    right = np.concatenate(
        [(made.predictions[o.name, WHO].test.argmax(1) == o.references["STAPLE"]).ravel()
         for o in made.repeated]
    )  # fmt: skip
    assert np.nansum(curve.accuracy * curve.count) == pytest.approx(right.sum())
    near = calibration.fusion_diagrams(made.counts, [WHO])[WHO.label]
    assert near.count.sum() < curve.count.sum()


@pytest.mark.parametrize("raters", [1, 4])
def test_one_class_takes_a_threshold_from_validation_images(tools, raters):
    repeated, predictions = make(tools, classes=2, raters=raters, images=6, splits=1)
    (one,) = repeated
    for who, found in list(predictions.items()):
        validation = found.validation.copy()
        validation[:, 1] *= 0.4  # thresholds there are lower than on test images
        validation[:, 0] = 1 - validation[:, 1]
        predictions[who] = frames.Predicted(validation, found.test, found.drawn)
    thresholds = calibration.fusion_thresholds(repeated, predictions)
    assert set(thresholds) == set(predictions)
    data = one.validation
    truth = [fusion.staple(own, 2).labels for own in frames.rated_labels(data)]
    who = frames.CONVENTIONAL[1]
    mean = predictions[one.name, who].validation[:, 1]
    steps = np.round(np.arange(0, 1.0001, 0.05), 2)
    dice = [
        np.mean([2 * ((m > t) & (s == 1)).sum() / ((m > t).sum() + (s == 1).sum())
                 for m, s in zip(mean, truth, strict=True)])
        for t in steps
    ]  # fmt: skip
    chosen = float(thresholds[one.name, who])
    assert dice[list(steps).index(round(chosen, 2))] == pytest.approx(max(dice))
    assert chosen < 0.45


def test_several_classes_have_no_threshold(made):
    assert calibration.fusion_thresholds(made.repeated, made.predictions) == {}


def test_temperatures_are_fitted_on_validation_images_and_applied_to_test_images(made):
    fitted = calibration.temperatures(made.repeated, made.predictions)
    assert set(fitted) == {(o.name, w) for o in made.repeated for w in frames.CONVENTIONAL}
    one, who = made.repeated[0], frames.CONVENTIONAL[0]
    soft = np.stack([fusion.soft_labels(own, 3) for own in one.validation.labels])
    both = (np.moveaxis(a, 1, 0)
            for a in (made.predictions[one.name, who].validation, soft))  # fmt: skip
    value = fitted[one.name, who].value
    assert value == pytest.approx(metrics.fit_temperature(*both).value, rel=1e-6)
    test = np.stack([fusion.soft_labels(own, 3) for own in one.test.labels])
    other = metrics.fit_temperature(made.predictions[one.name, who].test, test, axis=1).value
    assert abs(value - other) > 0.2  # validation is blunter, so the test images' own is another
    scaled = calibration.scaled_predictions(made.predictions, fitted)
    assert set(scaled) == {(name, w._replace(scaled=True)) for name, w in fitted}
    probabilities = made.predictions[one.name, who].test.astype(float) ** (1 / value)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    found = scaled[one.name, who._replace(scaled=True)]
    np.testing.assert_allclose(found.test, probabilities, atol=1e-5)
    assert not np.allclose(found.test, made.predictions[one.name, who].test, atol=0.01)
    np.testing.assert_array_equal(found.validation, made.predictions[one.name, who].validation)


def test_the_scaling_table_has_each_way_before_after_and_with_softseg(made):
    near = calibration.fusion_calibration(made.counts, region="near")
    table = calibration.scaling_table(made.repeated, made.predictions, made.frame, near)
    assert table["target"].tolist() == ["staple"] * 3 + ["average"] * 3 + ["random"] * 3
    assert table["scaled"].tolist() == [False, True, False] * 3
    assert table["framework"].tolist() == ["conventional", "conventional", "SoftSeg"] * 3
    assert table["temperature"].notna().tolist() == [False, True, False] * 3
    fitted = calibration.temperatures(made.repeated, made.predictions)
    own = [fitted[one.name, frames.CONVENTIONAL[1]].value for one in made.repeated]
    assert table["temperature"][4] == pytest.approx(np.mean(own))
    errors = near.set_index("condition")["mean"]
    assert table["mean"][3] == errors[frames.CONVENTIONAL[1].label]
    assert table["mean"][5] == errors[frames.SOFTSEG[1].label]
    brier = frames.by_image(made.frame, "brier").mean()
    assert table["brier"][[3, 5]].tolist() == pytest.approx(
        [brier[frames.CONVENTIONAL[1].label], brier[frames.SOFTSEG[1].label]]
    )
    assert table["against"][4] == pytest.approx(table["brier"][4] - table["brier"][5])
    assert table["against_low"][4] <= table["against"][4] <= table["against_high"][4]
    scaled = calibration.scaled_predictions(made.predictions, fitted)
    counts = frames.fusion_reliability(made.repeated, scaled)
    errors = calibration.fusion_calibration(counts, region="near").set_index("condition")["mean"]
    assert table["mean"][4] == errors[frames.CONVENTIONAL[1]._replace(scaled=True).label]
    assert table["mean"][4] != table["mean"][3]


def test_a_resample_counts_the_splits_that_it_has_subjects_of():
    errors = np.array([[[1.0, np.nan]] * 4, [[3.0, 5.0]] * 4])
    assert calibration.over_splits(errors)[0].tolist() == [2.0, 5.0]
