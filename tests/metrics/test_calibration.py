"""Reliability and calibration error: worked answers, torchmetrics, scikit-learn, properties."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from paraspine import metrics
from paraspine.arrays import LabelError, ProbabilityError, SettingsError, ShapeError


def case(seed, classes=4, shape=(9, 11), sharpness=3.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(size=(classes, *shape))
    p = np.exp(logits - logits.max(axis=0))
    p = (p / p.sum(axis=0)).astype(dtype)
    right = rng.random(shape) < 0.7
    return p, np.where(right, p.argmax(axis=0), rng.integers(0, classes, shape))


def two_classes(confidences):
    """Class 1 has each confidence."""
    confidences = np.asarray(confidences)
    return np.stack([1 - confidences, confidences])


def slow(p, reference, bins=10):
    """Plain float64 loop over bins."""
    confidence, right = p.max(axis=0).ravel(), (p.argmax(axis=0) == reference).ravel()
    rows = []
    for k in range(bins):
        inside = (confidence > k / bins) & (confidence <= (k + 1) / bins)
        n = inside.sum()
        rows.append((confidence[inside].mean(), right[inside].mean(), n) if n else (0, 0, 0))
    return np.array(rows)


def assert_equal(a, b):
    for name in ("confidence", "accuracy", "count"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-12, err_msg=name)


def test_hand_worked():
    p = two_classes([0.95, 0.95, 0.85, 0.55, 0.65])
    found = metrics.reliability(p, [1, 0, 1, 1, 1])
    nan = np.nan
    np.testing.assert_array_equal(found.count, [0, 0, 0, 0, 0, 1, 1, 0, 1, 2])
    np.testing.assert_allclose(
        found.confidence, [nan, nan, nan, nan, nan, 0.55, 0.65, nan, 0.85, 0.95]
    )
    np.testing.assert_allclose(found.accuracy, [nan, nan, nan, nan, nan, 1, 1, nan, 1, 0.5])
    error = metrics.calibration_error(found)
    assert error.over == pytest.approx(0.45 * 2 / 5)
    assert error.under == pytest.approx((0.45 + 0.35 + 0.15) / 5)
    assert error.expected == pytest.approx(error.over + error.under)
    assert error.maximum == pytest.approx(0.45)
    assert metrics.expected_calibration_error(p, [1, 0, 1, 1, 1]) == pytest.approx(error.expected)
    np.testing.assert_allclose(found.gap[-1], 0.45)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges_belong_to_the_lower_bin(dtype):
    for k in range(5, 10):
        edge = dtype(k / 10)
        p = two_classes(np.array([edge, np.nextafter(edge, dtype(1))], dtype))
        if k == 5:
            p[0] = 1 - p[1]
        count = metrics.reliability(p, [1, 1]).count
        assert count[k - 1] == 1, k
        assert count[k] == 1, k
    assert metrics.reliability(two_classes(np.array([1.0], dtype)), [1]).count[-1] == 1
    # Rounding just above 1 is 1.
    above = two_classes(np.array([np.nextafter(dtype(1), dtype(2))], dtype))
    found = metrics.reliability(above, [1])
    assert found.count[-1] == 1
    assert found.confidence[-1] == 1
    np.testing.assert_allclose(found.edges, np.linspace(0, 1, 11))


def test_a_tie_goes_to_the_lower_class():
    assert metrics.reliability(np.full((4, 1), 0.25), [0]).accuracy[2] == 1
    assert metrics.reliability(np.full((4, 1), 0.25), [1]).accuracy[2] == 0


@pytest.mark.parametrize("bins", [1, 7, 10, 64, 65, 200])
@pytest.mark.parametrize("classes", [2, 5])
def test_slow_reference(bins, classes):
    p, reference = case(bins, classes, (400, 401))
    found = metrics.reliability(p, reference, bins)
    confidence, accuracy, count = slow(p, reference, bins).T
    np.testing.assert_array_equal(found.count, count)
    np.testing.assert_allclose(np.nan_to_num(found.confidence), confidence, atol=1e-12)
    np.testing.assert_allclose(np.nan_to_num(found.accuracy), accuracy, atol=1e-12)
    np.testing.assert_array_equal(np.isnan(found.accuracy), count == 0)
    expected = (count / count.sum() * np.abs(confidence - accuracy)).sum()
    assert metrics.expected_calibration_error(p, reference, bins) == pytest.approx(expected)


def test_scikit_learn():
    p, reference = case(5, 2, (50, 60))
    found = metrics.reliability(p, reference)
    confidence = p.max(axis=0).ravel()
    right = (p.argmax(axis=0) == reference).ravel()
    share, mean = calibration_curve(right, confidence, n_bins=10)
    filled = found.count > 0
    np.testing.assert_allclose(found.accuracy[filled], share)
    np.testing.assert_allclose(found.confidence[filled], mean)


@pytest.mark.parametrize("bins", [10, 15])
def test_torchmetrics(bins):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.functional import classification as theirs
    p, reference = case(6, 5, (60, 70), dtype=np.float64)
    flat = torch.from_numpy(p.reshape(5, -1).T.copy()), torch.from_numpy(reference.ravel())
    for norm, field in (("l1", "expected"), ("max", "maximum")):
        expected = float(theirs.multiclass_calibration_error(*flat, 5, n_bins=bins, norm=norm))
        found = metrics.calibration_error(metrics.reliability(p, reference, bins))
        assert getattr(found, field) == pytest.approx(expected, abs=1e-6)


def test_within_1e_9_of_float64_on_many_float32_voxels():
    p, reference = case(7, 3, (1000, 700), dtype=np.float32)
    confidence = p.max(axis=0).astype(np.float64).ravel()
    right = (p.argmax(axis=0) == reference).ravel()
    edges = (np.arange(1, 10) / 10).astype(np.float32)
    place = np.searchsorted(edges, p.max(axis=0).ravel(), side="left")
    exact = sum(
        abs(confidence[place == k].sum() - right[place == k].sum()) for k in range(10)
    ) / len(right)
    assert abs(metrics.expected_calibration_error(p, reference) - exact) < 1e-12


def test_half_precision():
    p, reference = case(8, 3, (20, 30), dtype=np.float16)
    wide = metrics.reliability(p.astype(np.float32), reference)
    assert_equal(metrics.reliability(p, reference), wide)


def test_unseen_voxels_and_those_outside_are_left_out():
    p, reference = case(9)
    lost = p.copy()
    lost[1, :4] = np.nan
    found = metrics.Calibration().update(lost, reference)
    assert_equal(found.pooled(), metrics.reliability(p[:, 4:], reference[4:]))
    assert found.left_out == 4 * 11
    where = np.zeros(reference.shape, bool)
    where[4:] = True
    assert_equal(metrics.reliability(p, reference, where=where), found.pooled())
    nothing = metrics.Calibration().update(np.full_like(p, np.nan), reference)
    assert nothing.left_out == reference.size
    assert np.isnan(nothing.pooled().accuracy).all()
    assert np.isnan(nothing.error().expected)
    assert np.isnan(nothing.error().maximum)
    assert np.isnan(metrics.expected_calibration_error(p, reference, where=where & ~where))
    assert found.update(lost, reference).left_out == 2 * 4 * 11


def images(seed, n=5):
    return [case(seed + i, sharpness=1 + i) for i in range(n)]


def test_images_pooled_and_averaged():
    cases = images(20)
    cases[0][0][:, :] = np.array([1, 0, 0, 0])[:, None, None]  # one bin only
    single = [metrics.reliability(p, y) for p, y in cases]
    found = metrics.Calibration()
    for p, y in cases:
        found.update(p, y)
    assert found.images == 5
    together = [np.stack(a, axis=-1) for a in zip(*cases, strict=True)]
    assert_equal(found.pooled(), metrics.reliability(*together))
    assert_equal(found.per_image(), metrics.average_reliability(single))
    # Appendix A of roshanzamir2022, plainly.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for name in ("accuracy", "confidence"):
            expected = np.nanmean([getattr(r, name) for r in single], axis=0)
            np.testing.assert_allclose(getattr(found.per_image(), name), expected)


def test_every_image_counts_the_same_in_the_average():
    many, few = two_classes(np.full(99, 0.95)), two_classes(np.array([0.95]))
    found = metrics.Calibration().update(many, np.ones(99, int)).update(few, [0])
    assert found.per_image().accuracy[-1] == pytest.approx(0.5)
    assert found.pooled().accuracy[-1] == pytest.approx(0.99)
    assert found.per_image().count[-1] == 100


def test_batch():
    cases = images(40, 4)
    p, y = (np.stack(a) for a in zip(*cases, strict=True))
    where = np.random.default_rng(0).random(y.shape) < 0.5
    one = metrics.Calibration(7).update_batch(p, y, where=where)
    other = metrics.Calibration(7)
    for i in range(4):
        other.update(p[i], y[i], where=where[i])
    assert_equal(one.pooled(), other.pooled())
    assert_equal(one.per_image(), other.per_image())
    assert one.images == 4


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5_000), st.permutations(range(4)), st.integers(0, 4))
def test_order_and_merging_make_no_difference(seed, order, cut):
    cases = images(seed, 4)
    plain = metrics.Calibration()
    for p, y in cases:
        plain.update(p, y)
    halves = metrics.Calibration(), metrics.Calibration()
    for place, i in enumerate(order):
        halves[place >= cut].update(*cases[i])
    merged = halves[0].merge(halves[1])
    assert_equal(merged.pooled(), plain.pooled())
    assert_equal(merged.per_image(), plain.per_image())
    assert (merged.images, merged.left_out) == (4, 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5_000), st.integers(1, 30), st.permutations(range(4)))
def test_properties(seed, bins, order):
    p, reference = case(seed)
    found = metrics.reliability(p, reference, bins)
    error = metrics.calibration_error(found)
    assert found.count.sum() == reference.size
    assert 0 <= error.over + error.under == error.expected <= error.maximum <= 1
    filled = found.count > 0
    assert (found.confidence[filled] > found.edges[:-1][filled]).all()
    assert (found.confidence[filled] <= found.edges[1:][filled] + 1e-12).all()
    assert ((found.accuracy[filled] >= 0) & (found.accuracy[filled] <= 1)).all()
    # Other names for the classes, other places for the voxels.
    named = metrics.reliability(p[list(order)], np.argsort(order)[reference], bins)
    assert_equal(named, found)
    assert_equal(metrics.reliability(p[:, ::-1], reference[::-1], bins), found)


def test_two_sides_of_miscalibration():
    always_right = metrics.calibration_error(metrics.reliability(two_classes([0.6]), [1]))
    assert (always_right.over, always_right.under) == (0, pytest.approx(0.4))
    always_wrong = metrics.calibration_error(metrics.reliability(two_classes([0.6]), [0]))
    assert (always_wrong.over, always_wrong.under) == (pytest.approx(0.6), 0)
    perfect = metrics.reliability(two_classes([1.0, 1.0]), [1, 1])
    assert metrics.calibration_error(perfect).expected == 0


def test_messages():
    p, y = case(0)
    with pytest.raises(SettingsError, match="bins: expected a whole number of at least 1, got 0"):
        metrics.reliability(p, y, 0)
    with pytest.raises(SettingsError, match="bins"):
        metrics.Calibration(2.5)
    with pytest.raises(SettingsError, match="expected 10 in both to merge them, got 5"):
        metrics.Calibration(10).merge(metrics.Calibration(5))
    with pytest.raises(ProbabilityError, match="logits must go through softmax"):
        metrics.reliability(p - 1, y)
    with pytest.raises(ProbabilityError, match="background must be one of the classes"):
        metrics.reliability(p[1:], np.zeros_like(y))
    with pytest.raises(LabelError, match="reference: expected classes 0 to 3"):
        metrics.reliability(p, y + 4)
    with pytest.raises(ShapeError, match="probabilities of one class and reference"):
        metrics.reliability(p, y[1:])
    with pytest.raises(ShapeError, match="at least one voxel axis"):
        metrics.reliability([0.5, 0.5], 0)
    with pytest.raises(ShapeError, match="where and reference"):
        metrics.reliability(p, y, where=[True])
    with pytest.raises(ShapeError, match="as many images in both, got 1 and 2"):
        metrics.Calibration().update_batch(p[None], np.stack([y, y]))
    with pytest.raises(ShapeError, match="at least one reliability"):
        metrics.average_reliability([])
    one, other = metrics.reliability(p, y), metrics.reliability(p, y, 5)
    with pytest.raises(ShapeError, match="the same number of bins"):
        metrics.average_reliability([one, other])
