"""Agreement between label maps: worked answers, scikit-learn, slow references, properties."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score

from paraspine import metrics
from paraspine.arrays import LabelError, ShapeError


def sets(raters=3, classes=3):
    return hnp.arrays(np.uint8, (raters, 3, 4), elements=st.integers(0, classes - 1))


def test_pairs_in_order():
    assert metrics.rater_pairs(4) == ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    assert metrics.rater_pairs(1) == ()


def test_hand_worked():
    labels = np.array([[0, 1, 1, 2], [1, 1, 1, 0], [0, 0, 1, 0]])
    found = metrics.pairwise_dice(labels, 4)
    nan = np.nan
    np.testing.assert_allclose(found, [[4 / 5, 0, nan], [2 / 3, 0, nan], [2 / 4, nan, nan]])


def test_one_rater_agrees_with_nobody():
    assert metrics.pairwise_dice(np.zeros((1, 4), int), 3).shape == (0, 2)


@settings(max_examples=15, deadline=None)
@given(sets(4))
def test_scikit_learn_and_permuted_raters(labels):
    found = metrics.pairwise_dice(labels, 3)
    assert found.shape == (6, 2)
    for row, (a, b) in zip(found, combinations(range(4), 2), strict=True):
        for c in (1, 2):
            masks = (labels[a] == c).ravel(), (labels[b] == c).ravel()
            expected = f1_score(*masks, zero_division=np.nan)
            np.testing.assert_allclose(row[c - 1], expected)
    turned = metrics.pairwise_dice(labels[::-1], 3)
    np.testing.assert_array_equal(turned[::-1], found[[0, 1, 3, 2, 4, 5]])


def distance(a, b, classes=3):
    shares = []
    for c in range(1, classes):
        either = ((a == c) | (b == c)).sum()
        if either:
            shares.append(((a == c) & (b == c)).sum() / either)
    return 1 - np.mean(shares) if shares else 0.0


def slow_distance(samples, labels):
    def mean(x, y):
        return np.mean([[distance(a, b) for b in y] for a in x])

    return 2 * mean(samples, labels) - mean(samples, samples) - mean(labels, labels)


def test_energy_distance_hand_worked():
    full, empty = np.ones(4, int), np.zeros(4, int)
    # One sample, always full; two raters, one full and one empty:
    # 2 (0 + 1) / 2 - 0 - (0 + 1 + 1 + 0) / 4.
    found = metrics.generalised_energy_distance([full], [full, empty], 2)
    assert found == pytest.approx(0.5)
    assert metrics.generalised_energy_distance([full], [empty, empty], 2) == pytest.approx(2.0)
    assert metrics.generalised_energy_distance([empty], [empty], 2) == 0


@settings(max_examples=40)
@given(sets(4), sets(3))
def test_energy_distance_properties(samples, labels):
    found = metrics.generalised_energy_distance(samples, labels, 3)
    assert found == pytest.approx(slow_distance(samples, labels), abs=1e-12)
    assert found == pytest.approx(metrics.generalised_energy_distance(labels, samples, 3))
    turned = metrics.generalised_energy_distance(samples[::-1], labels[[1, 2, 0]], 3)
    assert found == pytest.approx(turned, abs=1e-12)
    assert metrics.generalised_energy_distance(labels, labels, 3) == pytest.approx(0, abs=1e-12)


@settings(max_examples=40)
@given(sets(3), sets(3))
def test_matched_iou_is_the_best_of_all_matchings(samples, labels):
    table = np.array([[1 - distance(a, b) for b in labels] for a in samples])
    best = max(np.mean(table[range(3), order]) for order in permutations(range(3)))
    assert metrics.hungarian_iou(samples, labels, 3) == pytest.approx(best)
    assert metrics.hungarian_iou(labels, labels[::-1], 3) == pytest.approx(1)


def test_matched_iou_of_unequal_sets():
    full, empty = np.ones(4, int), np.zeros(4, int)
    assert metrics.hungarian_iou([full, empty], [full, full, empty, empty], 2) == 1
    assert metrics.hungarian_iou([full], [full, empty], 2) == pytest.approx(0.5)
    # Two and three are repeated to six: three full ones meet four, three empty ones two.
    assert metrics.hungarian_iou([full, empty], [full, full, empty], 2) == pytest.approx(5 / 6)


def test_messages():
    with pytest.raises(ShapeError, match="samples and labels: expected the same image size"):
        metrics.generalised_energy_distance(np.zeros((2, 3), int), np.zeros((2, 4), int), 2)
    with pytest.raises(LabelError, match="samples: expected classes 0 to 1"):
        metrics.hungarian_iou(np.full((2, 3), 2), np.zeros((2, 3), int), 2)
    with pytest.raises(ShapeError, match="leading rater axis"):
        metrics.pairwise_dice(np.zeros(3, int), 2)
