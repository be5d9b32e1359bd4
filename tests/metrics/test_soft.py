"""Brier score and entropy error: worked answers, scikit-learn, properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, mean_absolute_error

from paraspine import metrics
from paraspine.arrays import ProbabilityError, ShapeError


def soft_maps(seed, shape=(3, 6, 7)):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.ones(shape[0]), shape[1:]).transpose(2, 0, 1) for _ in range(2)]


def test_hand_worked():
    soft = np.array([[1, 2 / 3, 0], [0, 1 / 3, 1]])
    probabilities = np.array([[0.5, 2 / 3, 0.25], [0.5, 1 / 3, 0.75]])
    expected = (0.25 + 0 + 0.0625) / 3
    np.testing.assert_allclose(metrics.brier(probabilities, soft), [expected, expected])


def test_unseen_voxels_are_left_out():
    probabilities, soft = soft_maps(0)
    lost = probabilities.copy()
    lost[:, 2:] = np.nan
    np.testing.assert_allclose(
        metrics.brier(lost, soft), metrics.brier(probabilities[:, :2], soft[:, :2])
    )
    assert np.isnan(metrics.brier(np.full((3, 2), np.nan), np.full((3, 2), 1 / 3))).all()


def test_scikit_learn():
    probabilities, _ = soft_maps(1)
    labels = np.random.default_rng(2).integers(0, 3, probabilities.shape[1:])
    onehot = np.stack([labels == c for c in range(3)]).astype(float)
    found = metrics.brier(probabilities, onehot)
    for c in range(3):
        theirs = brier_score_loss(labels.ravel() == c, probabilities[c].ravel())
        assert found[c] == pytest.approx(theirs)


def test_float32_is_summed_in_float64():
    probabilities = np.full((2, 3_000_000), 0.5, np.float32)
    soft = probabilities + np.array([[0.1], [-0.1]], np.float32)
    exact = (float(np.float32(0.5) + np.float32(0.1)) - 0.5) ** 2
    assert metrics.brier(probabilities, soft)[0] == pytest.approx(exact, rel=1e-12)


@given(st.integers(0, 10_000))
def test_properties(seed):
    probabilities, soft = soft_maps(seed, (4, 3, 5))
    found = metrics.brier(probabilities, soft)
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(found, metrics.brier(soft, probabilities))
    np.testing.assert_array_equal(metrics.brier(soft, soft), 0)
    flipped = [a[:, ::-1, ::-1] for a in (probabilities, soft)]
    np.testing.assert_allclose(metrics.brier(*flipped), found)
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(metrics.brier(probabilities[order], soft[order]), found[order])


def test_image_value():
    image = np.array([[0.5, np.nan], [0.25, 0.25]])
    assert metrics.image_value(image) == pytest.approx(1 / 3)
    assert metrics.image_value(image, total=True) == pytest.approx(1.0)
    assert np.isnan(metrics.image_value([np.nan]))
    assert np.isnan(metrics.image_value([np.nan], total=True))


def test_entropy_error():
    rng = np.random.default_rng(0)
    prediction, reference = rng.random((2, 9, 4, 5))
    of_images = [a.mean(axis=(1, 2)) for a in (prediction, reference)]
    expected = mean_absolute_error(*of_images)
    assert metrics.entropy_error(prediction, reference) == pytest.approx(expected)
    assert metrics.entropy_error(*of_images) == pytest.approx(expected)
    assert metrics.entropy_error(prediction, reference, total=True) == pytest.approx(20 * expected)
    of_images[0][3] = np.nan
    kept = np.arange(9) != 3
    assert metrics.entropy_error(*of_images) == pytest.approx(
        mean_absolute_error(of_images[0][kept], of_images[1][kept])
    )
    assert np.isnan(metrics.entropy_error([np.nan], [0.0]))


def test_entropy_error_compares_the_same_voxels():
    one, other = np.array([[0.5, np.nan, 0.2]]), np.array([[0.4, 0.1, 0.2]])
    assert metrics.entropy_error(one, other) == pytest.approx(0.05)
    assert metrics.entropy_error(other, one, total=True) == pytest.approx(0.1)


def test_messages():
    with pytest.raises(ShapeError, match="probabilities and soft"):
        metrics.brier(np.full((2, 3), 0.5), np.full((2, 4), 0.5))
    with pytest.raises(ProbabilityError, match="soft: expected a sum of 1"):
        metrics.brier(np.full((2, 3), 0.5), np.full((2, 3), 0.4))
    with pytest.raises(ShapeError, match="one value or one map per image"):
        metrics.entropy_error(1.0, 2.0)
