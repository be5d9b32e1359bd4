"""Majority vote, soft labels, ties and the entropy of the raters' votes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import xlogy

from paraspine import fusion
from paraspine.arrays import LabelError, SettingsError, ShapeError
from paraspine.fusion.patterns import vote_patterns


@st.composite
def raters(draw, max_raters=6, max_classes=5):
    """Label maps of several raters and the number of classes."""
    count, classes = draw(st.integers(1, max_raters)), draw(st.integers(1, max_classes))
    shape = draw(st.sampled_from([(7,), (3, 4), (2, 3, 2)]))
    labels = draw(hnp.arrays(np.uint8, (count, *shape), elements=st.integers(0, classes - 1)))
    return labels, classes


def one_hot_mean(labels, num_classes):
    return np.moveaxis(np.eye(num_classes)[labels].mean(axis=0), -1, 0)


def test_majority_by_hand():
    labels = [[0, 1, 2, 2], [0, 1, 1, 2], [0, 0, 1, 1]]
    assert fusion.majority_vote(labels, 3).tolist() == [0, 1, 1, 2]
    assert fusion.tie_rate(labels, 3) == 0


def test_soft_labels_by_hand():
    soft = fusion.soft_labels([[0, 1], [0, 2], [1, 2], [1, 2]], 3)
    assert soft.dtype == np.float32
    assert soft.tolist() == [[0.5, 0], [0.5, 0.25], [0, 0.75]]


def test_entropy_by_hand():
    entropy = fusion.ground_truth_entropy([[0, 1, 2], [0, 1, 1], [0, 0, 0]], 3)
    third = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    assert entropy == pytest.approx([0, third, np.log(3)], abs=1e-7)


def test_tie_goes_to_the_class_that_staple_believes():
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 3, 3000)
    labels = np.stack(
        [
            np.where(generator.random(3000) < right, truth, generator.integers(0, 3, 3000))
            for right in (0.95, 0.9, 0.4, 0.4)
        ]
    )
    counts = np.sort(one_hot_mean(labels, 3), axis=0)
    tied = counts[-1] == counts[-2]
    assert fusion.tie_rate(labels, 3) == pytest.approx(tied.mean())
    few = np.array([[2, 1, 1, 0, 0, 0, 0], [0, 0, 2, 1, 2, 1, 1]])  # the prior decides
    for said in (few, labels):
        posterior = fusion.staple(said, 3).posterior
        vote = fusion.majority_vote(said, 3)
        for voxel in range(said.shape[1]):
            candidates, number = np.unique(said[:, voxel], return_counts=True)
            candidates = candidates[number == number.max()]
            assert vote[voxel] == candidates[posterior[candidates, voxel].argmax()]
    lower = one_hot_mean(labels, 3).argmax(axis=0)  # what a tie to the lower number would give
    assert (vote == truth)[tied].mean() > (lower == truth)[tied].mean() + 0.2


def test_tie_that_staple_leaves_open_goes_to_the_lower_class():
    # Two raters who swap roles: nothing tells them apart, and both classes are as frequent.
    labels = np.array([[1, 2, 1, 2, 0], [2, 1, 1, 2, 0]])
    assert fusion.majority_vote(labels, 3).tolist() == [1, 1, 1, 2, 0]
    assert fusion.majority_vote(labels[::-1], 3).tolist() == [1, 1, 1, 2, 0]


def test_tie_never_goes_to_a_class_that_was_not_tied():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, (4, 500))
    counts = one_hot_mean(labels, 4)
    vote = fusion.majority_vote(labels, 4)
    assert (counts[vote, np.arange(500)] == counts.max(axis=0)).all()


def test_tie_rate_extent():
    labels = [[0, 0, 1, 1], [0, 0, 1, 2]]
    assert fusion.tie_rate(labels, 3) == 0.25
    assert fusion.tie_rate(labels, 3, extent="foreground") == 0.5
    assert np.isnan(fusion.tie_rate(np.zeros((2, 3), int), 2, extent="foreground"))
    with pytest.raises(SettingsError, match="'image' or 'foreground'"):
        fusion.tie_rate(labels, 3, extent="all")


def test_one_rater_is_the_answer():
    labels = np.array([[[0, 1], [2, 3]]])
    assert (fusion.majority_vote(labels, 4) == labels[0]).all()
    assert (fusion.soft_labels(labels, 4) == one_hot_mean(labels, 4)).all()
    assert (fusion.ground_truth_entropy(labels, 4) == 0).all()


def test_many_equals_one_by_one_and_leaves_out_who_did_not_rate():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, (5, 4, 6, 6)).astype(np.uint8)
    rated = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 1]], bool)
    together = fusion.majority_vote_many(labels, 3, rated)
    for image in range(5):
        alone = fusion.majority_vote(labels[image][rated[image]], 3)
        assert (together[image] == alone).all()
    everybody = fusion.majority_vote_many(labels, 3)
    assert (everybody[1] == fusion.majority_vote(labels[1], 3)).all()


def test_many_refuses_an_image_that_nobody_rated():
    labels, rated = np.zeros((2, 2, 3, 3), int), np.array([[True, True], [False, False]])
    with pytest.raises(ShapeError, match="nobody rated image 1"):
        fusion.majority_vote_many(labels, 2, rated)
    with pytest.raises(ShapeError, match="expected shape"):
        fusion.majority_vote_many(labels, 2, rated[:1])
    with pytest.raises(ShapeError, match="images, raters"):
        fusion.majority_vote_many(labels[0, 0], 2)


@pytest.mark.parametrize(
    "function",
    [fusion.majority_vote, fusion.soft_labels, fusion.ground_truth_entropy, fusion.staple],
)
def test_bad_labels(function):
    with pytest.raises(LabelError, match="classes 0 to 2, got values from 0 to 3"):
        function([[0, 3]], 3)
    with pytest.raises(LabelError, match="fractions"):
        function([[0.5, 1]], 3)
    with pytest.raises(ShapeError, match="labels\\[None\\]"):
        function([0, 1], 3)


@given(raters())
@settings(deadline=None, max_examples=150)
def test_everything_follows_from_one_hot_means(case):
    labels, classes = case
    soft = one_hot_mean(labels, classes)
    assert fusion.soft_labels(labels, classes) == pytest.approx(soft, abs=1e-7)
    entropy = -xlogy(soft, soft).sum(axis=0)
    assert fusion.ground_truth_entropy(labels, classes) == pytest.approx(entropy, abs=1e-6)
    most = soft == soft.max(axis=0)
    tied = most.sum(axis=0) > 1
    vote = fusion.majority_vote(labels, classes)
    assert vote.shape == labels.shape[1:]
    assert (vote[~tied] == soft.argmax(axis=0)[~tied]).all()
    assert np.take_along_axis(most, vote[None].astype(int), 0).all()
    assert fusion.tie_rate(labels, classes) == pytest.approx(tied.mean())


@given(raters(max_classes=4), st.integers(0, 9))
@settings(deadline=None, max_examples=60)
def test_order_of_voxels_does_not_matter(case, seed):
    labels, classes = case
    labels = labels.reshape(len(labels), -1)
    order = np.random.default_rng(seed).permutation(labels.shape[1])
    assert (
        fusion.majority_vote(labels[:, order], classes)
        == fusion.majority_vote(labels, classes)[order]
    ).all()


@pytest.mark.parametrize(("count", "classes"), [(3, 5), (7, 5), (20, 2), (12, 9), (3, 300)])
def test_patterns_stand_for_the_votes_however_many_there_are(count, classes):
    generator = np.random.default_rng(2)
    labels = generator.integers(0, classes, (count, 40, 9))
    patterns = vote_patterns(labels, classes)
    assert (np.moveaxis(patterns.votes[patterns.codes], -1, 0) == labels).all()
    assert (patterns.votes[0] == 0).all()
    assert patterns.counts().sum() == 360
    assert (patterns.class_counts().sum(axis=1) == count).all()
    soft = fusion.soft_labels(labels, classes)
    assert soft == pytest.approx(one_hot_mean(labels, classes), abs=1e-7)
