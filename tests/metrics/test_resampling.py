"""Error detection over resampled subjects against scikit-learn on the voxels drawn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from paraspine import metrics
from paraspine.arrays import SettingsError, ShapeError


@pytest.fixture(scope="module")
def subjects():
    rng = np.random.default_rng(0)
    found = []
    for level in np.linspace(0.002, 0.05, 6):
        scores = np.minimum(rng.gamma(0.15, 0.15, 40_000), 1.6).astype(np.float32)
        scores[rng.random(scores.size) < 0.2] = 0
        found.append((scores, rng.random(scores.size) < level + 0.3 * scores))
    return found


@pytest.fixture(scope="module")
def counted(subjects):
    return [metrics.ErrorDetection().update(*s) for s in subjects]


MEASURES = {
    "average_precision": average_precision_score,
    "auroc": roc_auc_score,
    "prevalence": lambda error, scores: error.mean(),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_scikit_learn_on_the_voxels_drawn(subjects, counted, measure):
    weights = np.array([[1] * 6, [2, 0, 1, 1, 0, 2], [0, 0, 0, 0, 6, 0], [0, 3, 3, 0, 0, 0]])
    found = metrics.resample_detection(counted, weights, measure)
    for row, value in zip(weights, found, strict=True):
        drawn = [subjects[i] for i, n in enumerate(row) for _ in range(n)]
        scores, error = (np.concatenate(a) for a in zip(*drawn, strict=True))
        assert value == pytest.approx(MEASURES[measure](error, scores), abs=3e-5)


@pytest.mark.parametrize("measure", MEASURES)
def test_ones_give_the_pooled_value(counted, measure):
    pooled = metrics.ErrorDetection()
    for part in counted:
        pooled.merge(part)
    found = metrics.resample_detection(counted, np.ones((1, 6), int), measure)
    assert found[0] == pytest.approx(getattr(pooled, measure)(), abs=1e-5)


def test_few_scores_are_exact():
    scores, error = np.array([0.9, 0.8, 0.7, 0.7, 0.1]), np.array([1, 0, 1, 0, 1], bool)
    parts = [
        metrics.ErrorDetection().update(scores[:3], error[:3]),
        metrics.ErrorDetection().update(scores[3:], error[3:]),
    ]
    weights = np.array([[1, 1], [1, 0], [2, 1], [0, 0]])
    found = metrics.resample_detection(parts, weights)
    for row, value in zip(weights[:3], found[:3], strict=True):
        drawn = np.repeat(np.arange(5), row[[0, 0, 0, 1, 1]])
        assert value == pytest.approx(average_precision_score(error[drawn], scores[drawn]))
    assert np.isnan(found[3])


def test_scores_of_both_signs():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=3000).astype(np.float32)
    error = rng.random(3000) < 1 / (1 + np.exp(-scores))
    parts = [metrics.ErrorDetection().update(scores[i::2], error[i::2]) for i in range(2)]
    for measure in ("average_precision", "auroc"):
        found = metrics.resample_detection(parts, [[1, 1]], measure)[0]
        assert found == pytest.approx(MEASURES[measure](error, scores), abs=1e-5)


def test_undefined():
    parts = [metrics.ErrorDetection(), metrics.ErrorDetection().update([0.1], [False])]
    for measure in ("average_precision", "auroc"):
        assert np.isnan(metrics.resample_detection(parts, [[1, 1], [0, 0]], measure)).all()
    found = metrics.resample_detection(parts, [[1, 1], [3, 0]], "prevalence")
    np.testing.assert_array_equal(found, [0, np.nan])
    assert metrics.resample_detection(parts, np.zeros((0, 2), int)).shape == (0,)
    assert np.isnan(metrics.resample_detection(parts[:1], [[1]]))[0]


def test_messages(counted):
    with pytest.raises(SettingsError, match="measure: expected average_precision, auroc"):
        metrics.resample_detection(counted, np.ones((1, 6), int), "recall")
    with pytest.raises(ShapeError, match=r"weights: expected \(resamples, 6\)"):
        metrics.resample_detection(counted, np.ones((1, 5), int))
    with pytest.raises(ShapeError, match="whole numbers"):
        metrics.resample_detection(counted, np.ones((1, 6)))
    with pytest.raises(SettingsError, match=r"bins: expected 2048 in all units, got \[64\]"):
        metrics.resample_detection([*counted[:1], metrics.ErrorDetection(64)], [[1, 1]])
