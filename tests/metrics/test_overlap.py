"""Overlap and size: worked answers, scikit-learn, SimpleITK; properties. MONAI: test_monai."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score, precision_score, recall_score

from paraspine import metrics
from paraspine.arrays import LabelError, ParaspineError, ShapeError

NAMES = list(metrics.OVERLAP_MEASURES)


def every(prediction, reference, classes):
    return {n: getattr(metrics, n)(prediction, reference, classes) for n in NAMES}


@st.composite
def label_pairs(draw, dims=2, classes=4):
    shape = draw(hnp.array_shapes(min_dims=dims, max_dims=dims, min_side=1, max_side=6))
    elements = st.integers(0, classes - 1)
    maps = hnp.arrays(np.uint8, shape, elements=elements)
    return draw(maps), draw(maps)


def test_hand_worked():
    reference = np.array([[0, 1, 1, 1], [0, 1, 0, 2]])
    prediction = np.array([[1, 1, 1, 0], [0, 1, 0, 0]])
    found = every(prediction, reference, 4)
    nan, inf = np.nan, np.inf
    # Class 1: TP 3, FP 1, FN 1, TN 3. Class 2: only in the reference. Class 3: nowhere.
    expected = {
        "dice": [6 / 8, 0, nan],
        "iou": [3 / 5, 0, nan],
        "precision": [3 / 4, nan, nan],
        "recall": [3 / 4, 0, nan],
        "conformity": [1 - 2 / 3, -inf, nan],
        "true_negative_rate": [3 / 4, 1, 1],
        "volume_ratio": [1, 0, nan],
        "relative_volume_difference": [0, 1, nan],
        "absolute_volume_difference": [0, 1, nan],
    }
    assert set(expected) == set(NAMES)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, err_msg=name)
        assert found[name].shape == (3,)
        assert found[name].dtype == np.float64


def test_only_the_prediction_marks_something():
    prediction, reference = np.ones((2, 3), int), np.zeros((2, 3), int)
    found = {n: v[0] for n, v in every(prediction, reference, 2).items()}
    assert found["dice"] == found["iou"] == found["precision"] == 0
    assert np.isnan(found["recall"])
    assert found["conformity"] == -np.inf
    assert found["true_negative_rate"] == 0
    assert found["volume_ratio"] == np.inf
    assert found["relative_volume_difference"] == -np.inf
    assert found["absolute_volume_difference"] == np.inf


def test_reference_that_fills_the_image_has_no_true_negative():
    assert np.isnan(metrics.true_negative_rate([[1, 0]], [[1, 1]], 2))[0]


def test_relative_volume_difference_is_positive_when_too_little_was_drawn():
    reference, prediction = np.array([1, 1, 1, 1, 0]), np.array([1, 1, 1, 0, 0])
    assert metrics.relative_volume_difference(prediction, reference, 2)[0] == pytest.approx(0.25)
    assert metrics.relative_volume_difference(reference, prediction, 2)[0] == pytest.approx(-1 / 3)
    assert metrics.absolute_volume_difference(reference, prediction, 2)[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize("classes", [2, 5, 20, 300])
def test_scikit_learn(classes):
    rng = np.random.default_rng(classes)
    reference = rng.integers(0, classes, (3, 40, 41))
    prediction = np.where(rng.random(reference.shape) < 0.6, reference, rng.permutation(reference))
    labels = np.arange(classes)
    table = metrics.confusion(prediction, reference, classes)
    flat = reference.ravel(), prediction.ravel()
    np.testing.assert_array_equal(table, confusion_matrix(*flat, labels=labels))
    for name, theirs in {
        "dice": f1_score,
        "iou": jaccard_score,
        "precision": precision_score,
        "recall": recall_score,
    }.items():
        expected = theirs(*flat, labels=labels[1:], average=None)
        np.testing.assert_allclose(
            getattr(metrics, name)(prediction, reference, classes), expected, atol=1e-14
        )


def test_simpleitk():
    rng = np.random.default_rng(3)
    reference = rng.integers(0, 4, (5, 12, 13)).astype(np.uint8)
    prediction = np.where(rng.random(reference.shape) < 0.7, reference, 1).astype(np.uint8)
    filter_ = sitk.LabelOverlapMeasuresImageFilter()
    filter_.Execute(sitk.GetImageFromArray(prediction), sitk.GetImageFromArray(reference))
    found = every(prediction, reference, 4)
    for c in (1, 2, 3):
        assert found["dice"][c - 1] == pytest.approx(filter_.GetDiceCoefficient(c))
        assert found["iou"][c - 1] == pytest.approx(filter_.GetJaccardCoefficient(c))
        assert 1 - found["recall"][c - 1] == pytest.approx(filter_.GetFalseNegativeError(c))
        assert 1 - found["precision"][c - 1] == pytest.approx(filter_.GetFalseDiscoveryRate(c))
        specificity = found["true_negative_rate"][c - 1]
        assert 1 - specificity == pytest.approx(filter_.GetFalsePositiveError(c))
        # ITK's similarity is 2 (source - target) / (source + target).
        ratio = found["volume_ratio"][c - 1]
        assert 2 * (ratio - 1) / (ratio + 1) == pytest.approx(filter_.GetVolumeSimilarity(c))


def test_batches_equal_single_images():
    rng = np.random.default_rng(0)
    predictions, references = rng.integers(0, 3, (2, 6, 7, 8))
    tables = np.stack(
        [metrics.confusion(*pair, 3) for pair in zip(predictions, references, strict=True)]
    )
    together = metrics.overlap_measures(tables)
    for i in range(6):
        for name, values in every(predictions[i], references[i], 3).items():
            np.testing.assert_array_equal(together[name][i], values)
    pooled = metrics.overlap_measures(tables.sum(axis=0))
    for name, values in every(predictions, references, 3).items():
        np.testing.assert_array_equal(pooled[name], values)


def test_many_voxels_and_any_integer_type():
    reference = np.zeros(600_000, bool)
    reference[:300_001] = True
    prediction = np.ones(600_000, np.float32)
    table = metrics.confusion(prediction, reference, 2)
    np.testing.assert_array_equal(table, [[0, 299_999], [0, 300_001]])


@given(label_pairs())
def test_properties(pair):
    prediction, reference = pair
    found = every(prediction, reference, 4)
    back = every(reference, prediction, 4)
    np.testing.assert_array_equal(found["dice"], back["dice"])
    np.testing.assert_array_equal(found["iou"], back["iou"])
    np.testing.assert_array_equal(found["precision"], back["recall"])
    np.testing.assert_array_equal(found["conformity"], back["conformity"])
    for name in ("dice", "iou", "precision", "recall", "true_negative_rate"):
        defined = found[name][~np.isnan(found[name])]
        assert ((defined >= 0) & (defined <= 1)).all()
    d, j = found["dice"], found["iou"]
    np.testing.assert_allclose(d, 2 * j / (1 + j))
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_allclose(found["conformity"], 3 - 2 / d)
    empty = [not ((prediction == c) | (reference == c)).any() for c in (1, 2, 3)]
    np.testing.assert_array_equal(np.isnan(d), empty)


@given(label_pairs(), st.randoms(use_true_random=False))
def test_permuting_voxels_or_classes_changes_nothing_else(pair, random):
    prediction, reference = (a.ravel() for a in pair)
    order = np.array(random.sample(range(prediction.size), prediction.size))
    swap = np.array([0, *random.sample([1, 2, 3], 3)])
    for name in NAMES:
        measure = getattr(metrics, name)
        plain = measure(prediction, reference, 4)
        np.testing.assert_array_equal(measure(prediction[order], reference[order], 4), plain)
        named = measure(swap[prediction], swap[reference], 4)
        np.testing.assert_array_equal(named[swap[1:] - 1], plain)


@settings(max_examples=20)
@given(label_pairs())
def test_a_map_agrees_with_itself(pair):
    found = every(pair[0], pair[0], 4)
    there = np.isin([1, 2, 3], pair[0])
    for name, perfect in {"dice": 1, "iou": 1, "conformity": 1, "volume_ratio": 1}.items():
        np.testing.assert_array_equal(found[name], np.where(there, perfect, np.nan))


def test_messages():
    with pytest.raises(LabelError, match=r"prediction: expected classes 0 to 1, got values"):
        metrics.dice([0, 2], [0, 1], 2)
    with pytest.raises(LabelError, match="reference: expected whole numbers, got fractions"):
        metrics.dice([0, 1], [0, 0.5], 2)
    with pytest.raises(ShapeError, match=r"prediction and reference.*\(2,\) and \(3,\)"):
        metrics.iou([0, 1], [0, 1, 1], 2)
    with pytest.raises(ShapeError, match="background and at least one class"):
        metrics.dice([0, 0], [0, 0], 1)
    with pytest.raises(LabelError, match="whole numbers of at least 0"):
        metrics.overlap_measures([[1, -1], [0, 3]])
    assert issubclass(ShapeError, ParaspineError)


def test_public_functions_say_what_they_are():
    for name in NAMES:
        function = getattr(metrics, name)
        assert function.__name__ == name
        assert "Parameters" in function.__doc__
        assert "NaN" in function.__doc__
