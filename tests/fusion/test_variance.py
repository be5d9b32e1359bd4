"""Variance map of the raters' signed distances."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paraspine import fusion
from paraspine.arrays import LabelError, SpacingError


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_distance_by_hand():
    assert fusion.signed_distance([0, 0, 1, 1, 1, 0]).tolist() == [-2, -1, 1, 2, 1, -1]
    distance = fusion.signed_distance([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert distance[1, 1] == 1
    assert distance[0, 0] == pytest.approx(-np.sqrt(2))


def test_distance_in_mm():
    assert fusion.signed_distance([0, 0, 1], [2.5]).tolist() == [-5, -2.5, 2.5]
    with pytest.raises(SpacingError, match="expected 1 numbers"):
        fusion.signed_distance([0, 0, 1], [1, 1])


def test_empty_and_full_masks():
    assert (fusion.signed_distance(np.zeros((2, 2))) == -np.inf).all()
    assert (fusion.signed_distance(np.ones((2, 2))) == np.inf).all()


def test_variance_by_hand():
    labels = np.array([[0, 1, 0], [0, 1, 1]])
    soft = sigmoid(np.array([[-1, 1, -1], [-1, 1, 2]]))
    variance = fusion.variance_map(labels, 2)
    assert variance.shape == (1, 3)
    assert variance[0] == pytest.approx([0, 0, ((soft[0, 2] - soft[1, 2]) / 2) ** 2], abs=1e-7)


def test_a_rater_who_marks_nothing_has_soft_label_0():
    labels = np.array([[0, 1, 0], [0, 0, 0]])
    soft = sigmoid(np.array([-1.0, 1, -1]))
    assert fusion.variance_map(labels, 2)[0] == pytest.approx((soft / 2) ** 2, abs=1e-7)


def test_one_rater_or_agreement_gives_0():
    labels = np.array([[[0, 1, 2], [2, 1, 0]]])
    assert (fusion.variance_map(labels, 3) == 0).all()
    for raters in (2, 3, 4, 7):
        assert (fusion.variance_map(np.repeat(labels, raters, axis=0), 3) == 0).all()
    assert fusion.variance_map(np.zeros((2, 3, 3), int), 1).shape == (0, 3, 3)


def test_against_simpleitk_distances():
    generator = np.random.default_rng(0)
    labels = (generator.random((3, 5, 9, 8)) < 0.3).astype(np.uint8)
    spacing = (4.0, 0.5, 0.8)
    soft = []
    for said in labels:
        image = sitk.GetImageFromArray(said)
        image.SetSpacing(spacing[::-1])
        ends = []
        for mask in (image == 0, image == 1):  # distance to the nearest voxel of the mask
            away = sitk.SignedMaurerDistanceMap(
                mask, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
            )
            ends.append(np.maximum(sitk.GetArrayFromImage(away), 0))
        soft.append(sigmoid(ends[0].astype(float) - ends[1]))
    variance = fusion.variance_map(labels, 2, spacing)
    assert variance.shape == (1, 5, 9, 8)
    assert variance[0] == pytest.approx(np.var(soft, axis=0), abs=1e-6)


def test_far_from_every_outline_nothing_is_lost():
    labels = np.zeros((3, 90, 120), np.uint8)
    for rater, (row, column) in enumerate([(0, 3), (2, 5), (1, 2)]):
        labels[rater, row : row + 12, column : column + 9] = 1
        labels[rater, 60:70, 100 + rater : 118] = 2
    labels[0][labels[0] == 2] = 0  # one who marks nothing there
    for spacing in (None, (0.5, 2.0)):
        found = fusion.variance_map(labels, 4, spacing)
        for c in (1, 2, 3):
            soft = [sigmoid(fusion.signed_distance(m, spacing)) for m in labels == c if m.any()]
            soft += [np.zeros(labels.shape[1:])] * (3 - len(soft))
            assert found[c - 1] == pytest.approx(np.var(soft, axis=0), rel=1e-6, abs=1e-17)
    assert (found[2] == 0).all()


def test_a_single_slice_is_the_same_in_2d_and_3d():
    labels = np.random.default_rng(1).integers(0, 3, (3, 1, 12, 10))
    assert (fusion.variance_map(labels, 3)[:, 0] == fusion.variance_map(labels[:, 0], 3)).all()


def test_bad_input():
    with pytest.raises(LabelError):
        fusion.variance_map([[0, 5]], 2)
    with pytest.raises(SpacingError, match="expected 2 numbers"):
        fusion.variance_map(np.zeros((1, 4, 4), int), 2, [1.0])


@given(hnp.arrays(np.uint8, (3, 6, 5), elements=st.integers(0, 2)))
@settings(deadline=None, max_examples=40)
def test_properties(labels):
    variance = fusion.variance_map(labels, 3)
    assert variance.dtype == np.float32
    assert (variance >= 0).all()
    assert (variance <= 0.25).all()
    assert fusion.variance_map(labels[::-1], 3) == pytest.approx(variance, abs=1e-7)
    turned = fusion.variance_map(np.rot90(labels, axes=(1, 2)), 3)
    assert turned == pytest.approx(np.rot90(variance, axes=(1, 2)), abs=1e-7)


def slow_variance(labels, num_classes, steps):
    """The definition, voxel by voxel: distance to the nearest voxel of the other side."""
    places = list(np.ndindex(*labels.shape[1:]))

    def soft(mask, here):
        others = [p for p in places if mask[p] != mask[here]]
        if not others:
            return 1.0 if mask[here] else 0.0
        away = min(
            np.sqrt(sum((s * (a - b)) ** 2 for s, a, b in zip(steps, here, p, strict=True)))
            for p in others
        )
        return sigmoid(away if mask[here] else -away)

    found = np.zeros((num_classes - 1, *labels.shape[1:]))
    for c in range(1, num_classes):
        for here in places:
            said = [soft(rater == c, here) for rater in labels]
            mean = sum(said) / len(said)
            found[(c - 1, *here)] = sum((x - mean) ** 2 for x in said) / len(said)
    return found


@pytest.mark.parametrize(
    ("shape", "spacing"), [((3, 7, 6), None), ((4, 3, 4, 5), None), ((2, 3, 5, 4), (4.0, 0.5, 0.8))]
)
def test_against_the_definition_voxel_by_voxel(shape, spacing):
    labels = np.random.default_rng(4).integers(0, 3, shape).astype(np.uint8)
    labels[0][labels[0] == 2] = 0  # an empty mask
    labels[1][:] = 1  # one that fills the image, and another empty one
    steps = spacing or (1.0,) * (len(shape) - 1)
    found = fusion.variance_map(labels, 4, spacing)  # nobody marks class 3
    assert found == pytest.approx(slow_variance(labels, 4, steps), abs=1e-7)
    assert (found[2] == 0).all()


def test_a_volume_by_hand():
    # Two raters mark one voxel each, one above the other, 2 mm apart; voxels are 1 mm wide.
    labels = np.zeros((2, 2, 1, 3), np.uint8)
    labels[0, 0, 0, 1] = labels[1, 1, 0, 1] = 1
    inside = sigmoid(1.0)  # 1 mm to the neighbour in the plane
    above, beside = sigmoid(-2.0), sigmoid(-1.0)  # of the other's voxel, of one beside one's own
    far = sigmoid(-np.sqrt(5))  # 2 mm up, 1 mm aside
    half = [(x - y) ** 2 / 4 for x, y in ((beside, far), (inside, above), (beside, far))]
    found = fusion.variance_map(labels, 2, (2.0, 1.0, 1.0))
    assert found.shape == (1, 2, 1, 3)
    assert found[0] == pytest.approx(np.array([[half], [half]]), abs=1e-7)


def test_classes_and_raters_do_not_touch_each_other():
    labels = np.random.default_rng(5).integers(0, 4, (4, 12, 11)).astype(np.uint8)
    whole = fusion.variance_map(labels, 4)
    for c in (1, 2, 3):
        assert (fusion.variance_map((labels == c).astype(np.uint8), 2)[0] == whole[c - 1]).all()
