"""Entropy, expected entropy and mutual information."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from paraspine import fusion, maps
from paraspine.arrays import ProbabilityError, ShapeError

NAN = np.nan


def random_samples(seed, shape=(6, 4, 5, 3), sharp=1.0):
    logits = np.random.default_rng(seed).normal(size=shape) * sharp
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_entropy_by_hand():
    probabilities = np.array([[1, 0.5, 0.25], [0, 0.5, 0.75]])
    quarter = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert maps.entropy(probabilities) == pytest.approx([0, np.log(2), quarter])


def test_entropy_against_scipy_along_any_axis():
    samples = random_samples(0)
    assert maps.entropy(samples, axis=1) == pytest.approx(stats.entropy(samples, axis=1))
    last = np.moveaxis(samples, 1, -1)
    assert maps.entropy(last, axis=-1) == pytest.approx(stats.entropy(samples, axis=1))


def test_unseen_is_nan_and_only_there():
    probabilities = np.array([[0.5, NAN], [0.5, NAN]])
    found = maps.entropy(probabilities)
    assert found[0] == pytest.approx(np.log(2))
    assert np.isnan(found[1])


def test_nothing_seen_at_all():
    assert np.isnan(maps.entropy(np.full((3, 4), NAN))).all()
    samples = np.full((2, 3, 4), NAN)
    assert np.isnan(maps.mutual_information(samples)).all()


def test_rounding_beyond_the_range_is_not_an_error():
    found = maps.entropy(np.array([[-1e-7, 1.0], [1 + 1e-7, 0.0]]))
    assert (found == 0).all()


def test_float32_stays_float32():
    assert maps.entropy(np.full((2, 3), 0.5, np.float32)).dtype == np.float32
    assert maps.entropy([[1], [0]]).dtype == np.float64


def test_expected_entropy_and_mutual_information_by_hand():
    # Two samples that are each certain and contradict each other: all of it is between them.
    certain = np.array([[[1.0], [0]], [[0], [1]]])
    assert maps.expected_entropy(certain) == pytest.approx([0])
    assert maps.mutual_information(certain) == pytest.approx([np.log(2)])
    # Two that are equally unsure: all of it is within them.
    unsure = np.full((2, 2, 1), 0.5)
    assert maps.expected_entropy(unsure) == pytest.approx([np.log(2)])
    assert maps.mutual_information(unsure) == pytest.approx([0])


def test_mutual_information_against_scipy():
    # It is that between "which sample" and "which class" under their joint distribution: the
    # Kullback-Leibler divergence of the joint distribution from the product of its margins.
    samples = random_samples(1, (5, 3, 7))
    for voxel, found in enumerate(maps.mutual_information(samples)):
        joint = samples[:, :, voxel] / 5
        product = np.outer(joint.sum(axis=1), joint.sum(axis=0))
        assert found == pytest.approx(stats.entropy(joint.ravel(), product.ravel()))


def test_a_sample_that_did_not_see_a_voxel_is_left_out_there():
    samples = random_samples(2, (4, 3, 6))
    samples[0, :, :2] = NAN
    samples[1:, :, 1] = NAN
    for function in (maps.expected_entropy, maps.mutual_information):
        found = function(samples)
        assert found[0] == pytest.approx(function(samples[1:, :, :1])[0])
        assert np.isnan(found[1])
        assert found[2:] == pytest.approx(function(samples[:, :, 2:]))


def test_one_sample_has_no_mutual_information():
    samples = random_samples(3, (1, 4, 9))
    assert (maps.mutual_information(samples) == 0).all()
    assert maps.expected_entropy(samples) == pytest.approx(maps.entropy(samples[0]))


def test_from_moments():
    samples = random_samples(4, (10, 4, 8, 8))
    mean, expected = samples.mean(axis=0), maps.expected_entropy(samples)
    information = maps.mutual_information(samples)
    assert maps.mutual_information_from_moments(mean, expected) == pytest.approx(information)
    batch = maps.mutual_information_from_moments(
        np.stack([mean, mean]).astype(np.float32), np.stack([expected, expected]), axis=1
    )
    assert batch == pytest.approx(np.stack([information, information]), abs=1e-6)
    assert maps.mutual_information_from_moments(mean, maps.entropy(mean) + 1e-7).max() == 0
    with pytest.raises(ShapeError, match="same shape"):
        maps.mutual_information_from_moments(mean, expected[:1])


def test_ground_truth_entropy_is_the_entropy_of_the_soft_label():
    labels = np.random.default_rng(5).integers(0, 4, (3, 9, 9))
    soft = fusion.soft_labels(labels, 4)
    assert maps.entropy(soft) == pytest.approx(fusion.ground_truth_entropy(labels, 4), abs=1e-6)


def test_bad_input():
    with pytest.raises(ProbabilityError, match="sum of 1"):
        maps.entropy([[0.5], [0.2]])
    with pytest.raises(ProbabilityError, match="softmax"):
        maps.expected_entropy(np.array([[[3.0], [-2.0]]]))
    with pytest.raises(ShapeError, match="class axis 3"):
        maps.entropy(np.ones((1, 2)), axis=3)
    with pytest.raises(ShapeError, match="probabilities\\[None\\]"):
        maps.mutual_information(np.ones(3))


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 5), st.sampled_from([0.1, 1, 30]))
@settings(deadline=None, max_examples=60)
def test_properties(seed, count, classes, sharp):
    samples = random_samples(seed, (count, classes, 11), sharp)
    predictive = maps.entropy(samples.mean(axis=0))
    expected, information = maps.expected_entropy(samples), maps.mutual_information(samples)
    assert (information >= 0).all()
    assert (information <= np.log(max(count, 1)) + 1e-9).all()
    assert (predictive <= np.log(classes) + 1e-9).all()
    assert predictive == pytest.approx(expected + information, abs=1e-9)
    shuffled = samples[np.random.default_rng(seed).permutation(count)]
    assert maps.mutual_information(shuffled) == pytest.approx(information, abs=1e-9)
