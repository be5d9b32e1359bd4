"""The search of a threshold: worked answers, scikit-learn, properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from paraspine import metrics
from paraspine.arrays import LabelError, SettingsError, ShapeError


def of(foreground):
    foreground = np.asarray(foreground, float)
    return np.stack([1 - foreground, foreground])


def test_hand_worked():
    # Marked where the probability is 0.9 and 0.35; 0.25 is not. Everything from 0.25 to below
    # 0.35 finds exactly those two; 0.3 is the threshold nearest to 0.5 that does.
    image = of([0.9, 0.35, 0.25, 0.0])
    found = metrics.search_threshold([image], [[1, 1, 0, 0]])
    assert found.thresholds == pytest.approx(np.arange(21) * 0.05)
    assert float(found) == pytest.approx(0.3)
    assert found.images == 1
    expected = [4 / 5] * 5 + [1] * 2 + [2 / 3] * 11 + [0] * 3
    assert found.dice == pytest.approx(expected)
    assert metrics.binarise(image, found).tolist() == [1, 1, 0, 0]


def test_mean_over_images_not_over_voxels():
    large, small = of([0.4] * 10 + [0.1] * 10), of([0.9, 0.4])
    answers = [np.repeat([1, 0], 10), np.array([1, 0])]
    found = metrics.search_threshold([large, small], answers, step=0.25)
    # Above 0.25: 1 and 2/3. Above 0.5: 0 and 1.
    assert found.dice[1:3] == pytest.approx([(1 + 2 / 3) / 2, (0 + 1) / 2])
    assert float(found) == 0.25


def test_empty_images():
    nothing = np.zeros(3, int)
    found = metrics.search_threshold([of([0.2, 0.1, 0.0])], [nothing], step=0.1)
    # Predicting something in an empty image is a Dice of 0, predicting nothing has none.
    assert found.dice[:2] == pytest.approx([0, 0])
    assert np.isnan(found.dice[2:]).all()
    none = metrics.search_threshold([of([0.0, 0.0, 0.0])], [nothing])
    assert np.isnan(none.dice).all()
    assert float(none) == 0.5
    assert float(metrics.search_threshold([], [])) == 0.5


def test_half_is_the_most_probable_class():
    rng = np.random.default_rng(0)
    image = of(rng.random((6, 7))).astype(np.float32)
    image[:, 0, 0] = 0.5
    assert (metrics.binarise(image, 0.5) == image.argmax(axis=0)).all()
    image[:, 1] = np.nan
    assert (metrics.binarise(image, 0.0)[1] == 0).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_probabilities_on_a_threshold_are_not_above_it(kind):
    image = of([0.3, 0.35, 0.7]).astype(kind)
    found = metrics.search_threshold([image], [[0, 1, 1]])
    assert float(found) == pytest.approx(0.3)
    assert metrics.binarise(image, found).tolist() == [0, 1, 1]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.25]))
def test_scikit_learn_and_binarise(seed, step):
    rng = np.random.default_rng(seed)
    images = np.stack([of(rng.beta(0.6, 1, (4, 5)).round(2)) for _ in range(3)])
    answers = rng.integers(0, 2, (3, 4, 5))
    answers[2] = 0
    found = metrics.search_threshold(images, answers, step=step)
    expected = []
    for threshold in found.thresholds:
        masks = [metrics.binarise(image, threshold) for image in images]
        pairs = zip(answers, masks, strict=True)
        scores = np.array([f1_score(a.ravel(), m.ravel(), zero_division=np.nan) for a, m in pairs])
        known = scores[~np.isnan(scores)]
        expected.append(known.mean() if known.size else np.nan)
    np.testing.assert_allclose(found.dice, expected)
    assert found.dice[found.thresholds == float(found)] == pytest.approx(np.nanmax(expected))
    turned = metrics.search_threshold(images[::-1, :, ::-1], answers[::-1, ::-1], step=step)
    assert float(turned) == float(found)


def test_messages():
    with pytest.raises(SettingsError, match="background and one class, got 3"):
        metrics.search_threshold([np.full((3, 2), 1 / 3)], [[0, 1]])
    with pytest.raises(ShapeError, match="as many images"):
        metrics.search_threshold([of([0.5])], [])
    with pytest.raises(LabelError, match="classes 0 to 1"):
        metrics.search_threshold([of([0.5])], [[2]])
    for step in (0, 0.3, -1, 2):
        with pytest.raises(SettingsError, match="divides 1"):
            metrics.search_threshold([], [], step=step)
    with pytest.raises(SettingsError, match="from 0 to 1"):
        metrics.binarise(of([0.5]), 1.5)
